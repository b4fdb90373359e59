// Writes the images that fuzzing starts from: write-image-seeds FOLDER.
#include <filesystem>
#include <fstream>

#include "tests/data/dicom_encoder.h"
#include "tests/data/jpeg2000_writer.h"
#include "tests/data/png_writer.h"

int main(int argc, char** argv) {
  using namespace preceptor::test;
  if (argc != 2) return 64;
  const std::filesystem::path folder(argv[1]);
  int number = 0;
  const auto write = [&](const char* kind, const std::string& bytes) {
    std::filesystem::create_directories(folder / kind);
    std::ofstream(folder / kind / std::to_string(number++), std::ios::binary) << bytes;
  };
  for (const int channels : {1, 3}) {
    const preceptor::Image image = drawn(9, 6, channels);
    std::string bmp, tga;
    stbi_write_bmp_to_func(append_bytes, &bmp, 6, 9, channels, image.pixels.data());
    stbi_write_tga_to_func(append_bytes, &tga, 6, 9, channels, image.pixels.data());
    for (const std::string& bytes : {png(image), jpeg(image), bmp, tga, pnm(image)}) write("image", bytes);
  }
  for (const auto& [color, depth] : {std::pair{0, 1}, {0, 16}, {2, 8}, {3, 4}, {4, 8}, {6, 16}})
    for (const char interlaced : {'\0', '\1'})
      write("png",
            std::string{static_cast<char>(color), static_cast<char>(depth), interlaced, 3, 3} + std::string(60, '\2'));
  DicomHeader header;
  header.rows = 6;
  header.columns = 5;
  header.stored = 12;
  const std::string plain = dicom(header, std::vector<int>(30, 700));
  header.center = "600";
  header.width = "300";
  header.slope = "2";
  header.photometric = "MONOCHROME1";
  const DJ_RPLossless lossless;
  const DJLSRepresentationParameter jpeg_ls(0, OFFalse);
  const DJ_RPLossy lossy(90);
  DicomHeader wavelets = header;
  wavelets.syntax = "1.2.840.10008.1.2.4.90";
  for (const std::string& bytes :
       {encapsulated(wavelets, jpeg2000(wavelets, std::vector<int>(30, 700)), 100), plain,
        dicom(header, std::vector<int>(30, 700)), in_syntax(plain, EXS_LittleEndianImplicit, nullptr),
        in_syntax(plain, EXS_BigEndianExplicit, nullptr), in_syntax(plain, EXS_RLELossless, nullptr),
        in_syntax(plain, EXS_JPEGProcess14SV1, &lossless), in_syntax(plain, EXS_JPEGLSLossless, &jpeg_ls),
        in_syntax(plain, EXS_JPEGProcess2_4, &lossy)}) {
    if (bytes.size() < 132) return 70;
    write("dicom", bytes.substr(132));
  }
  return 0;
}
