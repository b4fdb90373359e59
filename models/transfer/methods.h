// Every transfer method's description, one function a file.
#pragma once

#include "models/transfer/method.h"

namespace preceptor {

MethodKind kd();
MethodKind dkd();
MethodKind standardized_kd();
MethodKind dist();
MethodKind label_smoothing();
MethodKind teacher_free_kd();
MethodKind mutual();
MethodKind at();
MethodKind fitnet();
MethodKind sp();
MethodKind pkt();
MethodKind rkd();
MethodKind cc();
MethodKind nst();
MethodKind fsp();
MethodKind ab();
MethodKind vid();
MethodKind ofd();
MethodKind ft();
MethodKind reviewkd();
MethodKind crd();

}  // namespace preceptor
