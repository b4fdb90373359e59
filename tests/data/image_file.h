// An image file of made-up bytes: what is read from it, and how it is refused.
#pragma once

#include <gtest/gtest.h>

#include "data/images/image.h"
#include "kernels/device/error.h"
#include "tests/data/npz_writer.h"

namespace preceptor::test {

class ImageFile : public testing::Test {
 protected:
  Image read(const std::string& bytes) const {
    write_bytes(path, bytes);
    return read_image(path);
  }
  void refuse(const std::string& bytes, const std::string& word) const {
    try {
      read(bytes);
      ADD_FAILURE() << "read: " << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_EQ(std::string(error.what()).rfind(path + ": ", 0), 0u) << error.what();
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  }

  TemporaryFolder folder;
  std::string path = folder.file("image");
};

}  // namespace preceptor::test
