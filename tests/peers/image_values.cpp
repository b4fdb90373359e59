// Decodes image files with read_image, for compare_images.py: image-values FILE... writes to stdout, for each file, a
// line "height width channels" and the bytes.
#include <iostream>

#include "data/images/image.h"

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const preceptor::Image image = preceptor::read_image(argv[i]);
    std::cout << image.height << ' ' << image.width << ' ' << image.channels << '\n';
    std::cout.write(reinterpret_cast<const char*>(image.pixels.data()),
                    static_cast<std::streamsize>(image.pixels.size()));
  }
  return 0;
}
