// docs/flags.md lists every option of every program, as the programs declare them.
#include "process.h"

namespace preceptor::test {
namespace {

const std::vector<Arguments> programs = {{"preceptor-train"},
                                         {"preceptor-distill"},
                                         {"preceptor-evaluate"},
                                         {"preceptor-compare"},
                                         {"preceptor-report"},
                                         {"preceptor-explain"},
                                         {"preceptor-predict"},
                                         {"preceptor-import"},
                                         {"preceptor-export"},
                                         {"preceptor-inspect"},
                                         {"preceptor-data", "check"},
                                         {"preceptor-data", "cache"},
                                         {"preceptor-data", "preview"},
                                         {"preceptor-bench", "step"},
                                         {"preceptor-bench", "kernels"},
                                         {"preceptor-bench", "loading"},
                                         {"preceptor-quickstart"}};

// After a change of options, replace docs/flags.md by the file that the message names.
TEST(Flags, TheDocumentationListsEveryOptionWithItsDefault) {
  const Workplace place;
  std::string page = read_bytes(PRECEPTOR_SOURCE_DIR "/docs/flags.md");
  page.resize(page.find("## "));
  for (const Arguments& program : programs) page += place.run(with(program, {"--help-markdown"})) + "\n";
  page.pop_back();
  const std::string written = std::filesystem::temp_directory_path() / "flags.md";
  write_bytes(written, page);
  EXPECT_EQ(read_bytes(PRECEPTOR_SOURCE_DIR "/docs/flags.md"), page) << "the options have changed: see " << written;
}

// Every option in --help, and every one that --help shows in the table.
TEST(Flags, HelpListsTheSameOptions) {
  const Workplace place;
  const std::string page = read_bytes(PRECEPTOR_SOURCE_DIR "/docs/flags.md");
  const std::string help = place.run({"preceptor-distill", "--help"});
  const std::size_t begin = page.find("## preceptor-distill");
  const std::string section = page.substr(begin, page.find("## ", begin + 1) - begin);
  for (std::size_t at = section.find("`--"); at != std::string::npos; at = section.find("| `--", at)) {
    at = section.find("--", at);
    const std::string flag = section.substr(at, section.find_first_of(" `", at) - at);
    EXPECT_NE(help.find("  " + flag), std::string::npos) << flag;
  }
}

TEST(Flags, ListsOfModelsAndMethods) {
  const Workplace place;
  EXPECT_NE(place.run({"preceptor-train", "--list-models"}).find("resnet18\n"), std::string::npos);
  const std::string methods = place.run({"preceptor-distill", "--list-methods"});
  for (const char* name : {"kd\t", "\nat\t", "\ncrd\t"}) EXPECT_NE(methods.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace preceptor::test
