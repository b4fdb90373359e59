// DICOM files for tests, written by hand (explicit values, lower byte first) and re-encoded by DCMTK.
#pragma once

#include <string>
#include <vector>

#include "tests/data/npz_writer.h"

namespace preceptor::test {

// What a file says beside its pixels; empty text: the element is left out.
struct DicomHeader {
  int rows = 1, columns = 1, samples = 1;
  int allocated = 16, stored = 16;
  bool is_signed = false;
  std::string photometric = "MONOCHROME2";
  std::string center, width;     // of the window
  std::string slope, intercept;  // of the rescaling
  std::string frames;
  std::string syntax = "1.2.840.10008.1.2.1";
};

inline std::string dicom_element(int group, int element, const std::string& kind, std::string value) {
  if (value.size() % 2 != 0) value += kind == "UI" || kind == "OB" ? '\0' : ' ';
  const bool is_long = kind == "OW" || kind == "OB" || kind == "SQ";
  return little_endian(static_cast<std::uint64_t>(group), 2) + little_endian(static_cast<std::uint64_t>(element), 2) +
         kind + (is_long ? std::string(2, '\0') : "") + little_endian(value.size(), is_long ? 4 : 2) + value;
}

inline std::string dicom_number(int group, int element, int value) {
  return dicom_element(group, element, "US", little_endian(static_cast<std::uint64_t>(value), 2));
}

// Everything before the pixels.
inline std::string dicom_header(const DicomHeader& header) {
  const auto optional = [](int group, int element, const char* kind, const std::string& value) {
    return value.empty() ? "" : dicom_element(group, element, kind, value);
  };
  const std::string meta = dicom_element(2, 1, "OB", std::string("\0\1", 2)) +
                           dicom_element(2, 2, "UI", "1.2.840.10008.5.1.4.1.1.1.1") +
                           dicom_element(2, 3, "UI", "1.2.3.4") + dicom_element(2, 0x10, "UI", header.syntax);
  std::string text = std::string(128, '\0') + "DICM" + dicom_element(2, 0, "UL", little_endian(meta.size(), 4)) + meta +
                     dicom_element(8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.1.1") +
                     dicom_element(8, 0x18, "UI", "1.2.3.4") + dicom_number(0x28, 2, header.samples) +
                     dicom_element(0x28, 4, "CS", header.photometric);
  if (header.samples > 1) text += dicom_number(0x28, 6, 0);
  return text + optional(0x28, 8, "IS", header.frames) + dicom_number(0x28, 0x10, header.rows) +
         dicom_number(0x28, 0x11, header.columns) + dicom_number(0x28, 0x100, header.allocated) +
         dicom_number(0x28, 0x101, header.stored) + dicom_number(0x28, 0x102, header.stored - 1) +
         dicom_number(0x28, 0x103, header.is_signed) + optional(0x28, 0x1050, "DS", header.center) +
         optional(0x28, 0x1051, "DS", header.width) + optional(0x28, 0x1052, "DS", header.intercept) +
         optional(0x28, 0x1053, "DS", header.slope);
}

inline std::string dicom(const DicomHeader& header, const std::vector<int>& values) {
  std::string pixels;
  for (const int value : values) pixels += little_endian(static_cast<std::uint64_t>(value), header.allocated / 8);
  return dicom_header(header) + dicom_element(0x7fe0, 0x10, header.allocated == 8 ? "OB" : "OW", pixels);
}

}  // namespace preceptor::test
