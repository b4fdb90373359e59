// DICOM files in other transfer syntaxes, through DCMTK's encoders.
#pragma once

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmjpeg/djencode.h>
#include <dcmtk/dcmjpeg/djrplol.h>
#include <dcmtk/dcmjpeg/djrploss.h>
#include <dcmtk/dcmjpls/djencode.h>
#include <dcmtk/dcmjpls/djrparam.h>

#include "tests/data/dicom_writer.h"

namespace preceptor::test {

// The same file in another transfer syntax; empty where that fails.
inline std::string in_syntax(const std::string& bytes, E_TransferSyntax syntax,
                             const DcmRepresentationParameter* parameter) {
  DcmRLEEncoderRegistration::registerCodecs();
  DJEncoderRegistration::registerCodecs();
  DJLSEncoderRegistration::registerCodecs();
  DcmInputBufferStream in;
  in.setBuffer(bytes.data(), static_cast<offile_off_t>(bytes.size()));
  in.setEos();
  DcmFileFormat file;
  if (file.read(in).bad() || file.getDataset()->chooseRepresentation(syntax, parameter).bad()) return {};
  std::string out(bytes.size() * 2 + 4096, '\0');
  DcmOutputBufferStream stream(out.data(), static_cast<offile_off_t>(out.size()));
  file.transferInit();
  const bool written = file.write(stream, syntax, EET_ExplicitLength, nullptr).good();
  file.transferEnd();
  void* data = nullptr;
  offile_off_t size = 0;
  stream.flushBuffer(data, size);
  return written ? std::string(static_cast<const char*>(data), static_cast<std::size_t>(size)) : std::string();
}

}  // namespace preceptor::test
