// preceptor-report: what stands in the page and the model card, and what it refuses.
#include "apps/report/charts.h"
#include "apps/report/text.h"
#include "apps/runs/results.h"
#include "apps/runs/run_record.h"
#include "engine/files/check.h"
#include "process.h"

namespace preceptor::test {
namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

// Without the digits of pictures, which may spell anything.
std::string without_pictures(std::string page) {
  const std::string begin = "base64,";
  for (std::size_t at = 0; (at = page.find(begin, at)) != std::string::npos; at += begin.size())
    page.erase(at + begin.size(), page.find('"', at) - at - begin.size());
  return page;
}

// Every element that is opened is closed, in order; nothing is fetched and nothing runs.
void expect_sound_page(const std::string& page) {
  EXPECT_TRUE(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
  EXPECT_EQ(page.find("<script"), std::string::npos);
  for (const char* attribute : {"src=\"", "href=\""})
    for (std::size_t at = 0; (at = page.find(attribute, at)) != std::string::npos; ++at) {
      const std::string target = page.substr(at + std::string(attribute).size(), 22);
      EXPECT_TRUE(target.starts_with("data:") || target.starts_with("#")) << target;
    }
  EXPECT_EQ(page.find("url("), std::string::npos);
  const std::string words = without_pictures(page);
  EXPECT_EQ(words.find("nan"), std::string::npos) << words.substr(words.find("nan") - 100, 200);
  std::vector<std::string> open;
  const std::vector<std::string> single = {"meta", "link", "img", "!doctype"};
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at + 1)) {
    const std::size_t end = page.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = page.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (std::find(single.begin(), single.end(), name) != single.end() || tag.ends_with("/")) continue;
    if (tag[0] != '/') {
      open.push_back(name);
      if (name == "style") at = page.find("</style>", at) - 1;
      continue;
    }
    ASSERT_FALSE(open.empty()) << tag;
    EXPECT_EQ("/" + open.back(), tag) << page.substr(at > 200 ? at - 200 : 0, 220);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  // Every image and chart has words for those who cannot see it, every header cell a direction.
  EXPECT_EQ(count_of(page, "<img "), count_of(page, "<img alt=\""));
  EXPECT_EQ(count_of(page, "<svg "), count_of(page, "role=\"img\" aria-label=\""));
  EXPECT_EQ(count_of(page, "<th>"), 0u);
}

TEST(Report, OfOneRun) {
  const Workplace place;
  place.run(tiny_training("run"));
  EXPECT_EQ(place.run({"preceptor-report", "run", "--out", "r.html", "--bootstrap", "50", "--threads", "2"}),
            "r.html\nr.md\n");
  const std::string page = place.bytes("r.html");
  expect_sound_page(page);
  for (const char* id : {"performance", "labels", "curves", "learning", "calibration", "decisions", "explained", "data",
                         "configuration", "cost", "environment"}) {
    EXPECT_EQ(count_of(page, message("<section id=\"", id, "\">")), 1u) << id;
    EXPECT_EQ(count_of(page, message("<a href=\"#", id, "\">")), 1u) << id;
  }
  const nlohmann::json result = place.json("run/result.json");
  const std::string auc = fixed(result["test"]["auc_macro"].get<double>(), 3);
  EXPECT_NE(page.find("reaches a mean AUC of " + auc + " (95 % interval "), std::string::npos) << auc;
  for (const auto& [name, value] : result["test"]["auc"].items())
    EXPECT_NE(page.find(name + " " + fixed(value.get<double>(), 3) + ". "), std::string::npos) << name;
  EXPECT_NE(page.find(sha256(place.bytes("run/best.safetensors"))), std::string::npos);
  EXPECT_NE(page.find("<dt>lr</dt><dd>0.001</dd>"), std::string::npos);
  // A chart of both kinds per label, one of reliability more than labels, two of learning, one of intervals.
  EXPECT_EQ(count_of(page, "<svg "), 5u + 5u + 6u + 2u + 1u);

  const std::string card = place.bytes("r.md");
  EXPECT_TRUE(card.starts_with("# Model card: run\n"));
  EXPECT_NE(card.find("| cardiomegaly | "), std::string::npos);
  EXPECT_NE(card.find(sha256(place.bytes("run/best.safetensors"))), std::string::npos);
  EXPECT_NE(card.find("## To be filled in by people"), std::string::npos);

  // The same runs give the same page.
  place.run({"preceptor-report", "run", "--out", "again.html", "--bootstrap", "50", "--threads", "1"});
  EXPECT_EQ(place.bytes("again.html"), page);
}

TEST(Report, SeedsOfOneConfigurationAreOneArm) {
  const Workplace place;
  for (const char* seed : {"0", "1"}) {
    place.run(tiny_training(std::string("plain-seed") + seed, {"--seed", seed}));
    place.run(tiny_training(std::string("fast & <wide>-seed") + seed, {"--seed", seed, "--lr", "0.01"}));
  }
  place.run({"preceptor-report", "plain-seed0", "plain-seed1", "fast & <wide>-seed0", "fast & <wide>-seed1/", "--title",
             "Two rates", "--out", "r.html", "--model-card", "card.md", "--bootstrap", "50", "--threads", "2"});
  const std::string page = place.bytes("r.html");
  expect_sound_page(page);
  EXPECT_NE(page.find("<h1>Two rates</h1>"), std::string::npos);
  EXPECT_NE(page.find("&quot;plain&quot; (resnet8) reaches a mean AUC of "), std::string::npos);
  EXPECT_NE(page.find(" over 2 seeds)"), std::string::npos);
  // The tests are those of preceptor-compare, where a run's place does not matter.
  const nlohmann::json tested =
      parse_json(place.run({"preceptor-compare", "plain-seed0", "plain-seed1", "fast & <wide>-seed1",
                            "fast & <wide>-seed0", "--bootstrap", "0", "--json"}))["differences"][0];
  const auto sentence_part = [&](const char* test) {
    const auto number = [&](const char* name) { return tested[test][name].get<double>(); };
    return message(" for fast &amp; &lt;wide&gt; (", fixed(number("value"), 3, true), ", ",
                   bounds({0, number("low"), number("high")}, true), ", p = ", fixed(number("p_holm"), 3), ")");
  };
  EXPECT_NE(page.find("paired by seed, the AUC is not shown to differ" + sentence_part("over_seeds")),
            std::string::npos);
  EXPECT_NE(page.find("it is not shown to differ" + sentence_part("by_image")), std::string::npos);
  EXPECT_NE(page.find("<th scope=\"row\">lr</th><td>0.001</td><td>0.01</td>"), std::string::npos);
  EXPECT_NE(page.find("<dt>seed</dt><dd>0 and 1</dd>"), std::string::npos);
  const std::string card = place.bytes("card.md");
  EXPECT_EQ(count_of(card, "<wide>"), count_of(card, "\\<wide>")) << card;
}

TEST(Report, DrawsTheMetersOfTransfer) {
  const Workplace place;
  place.run(tiny_training("teacher"));
  place.run(tiny_training("plain", {"--data", tiny_other}));
  for (const char* method : {"kd", "at:weight=5"})
    place.run(tiny_distillation(method, {"--method", method, "--method", "sp:weight=1", "--meter-every", "4"}));
  const auto transfer_of = [&](const Arguments& runs) {
    place.run(with(with({"preceptor-report"}, runs), {"--out", "r.html", "--bootstrap", "0", "--pictures", "0"}));
    const std::string page = place.bytes("r.html");
    expect_sound_page(page);
    const std::size_t begin = page.find("<section id=\"transfer\">");
    return begin == std::string::npos ? "" : page.substr(begin, page.find("</section>", begin) - begin);
  };
  const std::string one = transfer_of({"kd"});
  EXPECT_EQ(count_of(one, "<svg "), 3u) << "shares, agreement, alignment";
  for (const std::string part : {">labels<", ">kd<", ">sp<", ">layer1<", ">layer3<"})
    EXPECT_NE(one.find(part), std::string::npos) << part;
  const double loss = read_metrics(place.path("kd/metrics.csv")).back().label_loss;
  EXPECT_NE(one.find(fixed(loss, 4)), std::string::npos);
  const std::string all = transfer_of({"plain", "kd", "at:weight=5"});
  EXPECT_EQ(count_of(all, "<svg "), 3u);
  EXPECT_NE(all.find("kd, labels"), std::string::npos);
  EXPECT_EQ(transfer_of({"plain"}), "");
}

// The runs' tables get a column that phantoms have not.
TEST(Report, SetsGapsBesideTheFirstArms) {
  const Workplace place;
  for (const char* run : {"teacher", "student"}) {
    place.run(tiny_training(run, {"--data", "phantom:chest?n=64&val=32&test=48&size=32", "--epochs",
                                  std::string(run) == "teacher" ? "2" : "1"}));
    const std::string path = std::string(run) + "/predictions.test.csv";
    std::istringstream rows(place.bytes(path));
    std::string text;
    int number = -1;
    for (std::string row; std::getline(rows, row); ++number) {
      const std::string cell = number < 0 ? "sex" : number % 2 == 0 ? "F" : "M";
      text += row.insert(row.find(','), "," + cell) + "\n";
    }
    write_bytes(place.path(path), text);
  }
  place.run({"preceptor-report", "teacher", "student", "--out", "r.html", "--bootstrap", "40", "--pictures", "0"});
  const std::string page = place.bytes("r.html");
  expect_sound_page(page);
  EXPECT_EQ(count_of(page, "Gaps by sex, student beside teacher"), 2u) << "the caption, and what is announced";
  EXPECT_EQ(count_of(page, "Gap in sensitivity, teacher"), 1u);
}

TEST(Report, ClassesGetAConfusionTable) {
  const Workplace place;
  place.run(tiny_training("run", {"--data", "phantom:fundus?n=64&val=32&test=48&size=32"}));
  place.run({"preceptor-report", "run", "--out", "r.html", "--bootstrap", "40", "--pictures", "2"});
  const std::string page = place.bytes("r.html");
  expect_sound_page(page);
  EXPECT_NE(page.find("quadratic weighted kappa"), std::string::npos);
  EXPECT_NE(page.find("True class by row"), std::string::npos);
}

TEST(Report, Refuses) {
  const Workplace place;
  place.run(tiny_training("run"));
  place.refuse({"preceptor-report", "nowhere"}, 66, {"nowhere/config.toml", "no run directory"});
  place.refuse({"preceptor-report", "run", "run"}, 64, {"run is given twice"});
  place.refuse({"preceptor-report", "run", "--threshold", "best"}, 64, {"best"});
  place.refuse({"preceptor-report", "run", "--out", "a.md", "--model-card", "a.md"}, 64, {"a.md"});
  const std::string predictions = place.bytes("run/predictions.test.csv");
  write_bytes(place.path("run/predictions.test.csv"), predictions.substr(0, predictions.find('\n') + 1));
  place.refuse({"preceptor-report", "run"}, 65, {"run/predictions.test.csv"});
  std::filesystem::remove(place.path("run/predictions.test.csv"));
  place.refuse({"preceptor-report", "run"}, 66, {"predictions.test.csv", "--resume run"});
  write_bytes(place.path("run/result.json"), "{\"format\": \"preceptor-result-1\", \"config\": 3}");
  place.refuse({"preceptor-report", "run"}, 65, {"run/result.json", "not the result of a run"});
  std::filesystem::remove(place.path("run/result.json"));
  place.refuse({"preceptor-report", "run"}, 66, {"has not finished", "--resume run"});
  EXPECT_FALSE(place.exists("report.html"));
}

// FIPS 180-2, appendix B.
TEST(ReportText, Sha256) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(ReportText, Words) {
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(counted(1, "image"), "1 image");
  EXPECT_EQ(counted(2000, "image"), "2,000 images");
  EXPECT_EQ(listed({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(byte_count(999), "999 B");
  EXPECT_EQ(byte_count(12'345'678), "12.3 MB");
  EXPECT_EQ(escape_html("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
  EXPECT_EQ(bounds({0, std::nan(""), 1}), "");
}

TEST(ReportCharts, TicksAndLabels) {
  EXPECT_DOUBLE_EQ(svg::tick_step(1, 5), 0.2);
  EXPECT_DOUBLE_EQ(svg::tick_step(0.37, 6), 0.1);
  EXPECT_DOUBLE_EQ(svg::tick_step(30, 8), 5);
  const std::vector<double> placed = svg::spread({50, 52, 10}, 20, 0, 60);
  EXPECT_EQ(placed, (std::vector<double>{40, 60, 10}));
  // Undefined values leave no mark, and no chart is made of nothing.
  const std::string chart = interval_chart({{"none", "arm-0", {std::nan(""), 0, 0}, {}, {}}}, "AUC", "t", "d");
  EXPECT_NE(chart.find("undefined"), std::string::npos);
  EXPECT_EQ(chart.find("nan"), std::string::npos);
  EXPECT_EQ(mean_curve({{1, 3}, {3}}), (std::vector<double>{2, 3}));
}

}  // namespace
}  // namespace preceptor::test
