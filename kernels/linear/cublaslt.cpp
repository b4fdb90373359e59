// The products of the fully connected layer by cuBLASLt: descriptions of matrices as they lie in memory, and the choice
// among its algorithms and our own kernel.
#include <cublasLt.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <unordered_map>

#include "kernels/device/card.h"
#include "kernels/device/cuda/fastest.h"
#include "kernels/device/tuning.h"
#include "kernels/linear/fastest.h"

namespace preceptor::kernels {
namespace {

constexpr std::uint64_t most_workspace = std::uint64_t{32} << 20;  // bytes, what NVIDIA advises for Hopper
constexpr int most_algorithms = 8;        // that are measured, in the order of cuBLASLt's own guess
constexpr std::uintptr_t alignment = 16;  // bytes, for all matrices; others are left to our kernel

void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS)
    throw Error(ErrorKind::internal, std::string("cublaslt: ") + cublasLtGetStatusString(status) + " in " + call);
}

cublasLtHandle_t handle() {
  static cublasLtHandle_t made = [] {
    cublasLtHandle_t created = nullptr;
    check(cublasLtCreate(&created), "cublasLtCreate");
    return created;
  }();
  return made;
}

template <class T>
constexpr cudaDataType_t data_type = std::is_same_v<T, float> ? CUDA_R_32F : CUDA_R_16BF;

// cuBLASLt stores matrices by columns: it sees each of ours, [rows, columns] by rows, as its transpose.
struct Operand {
  const void* data;
  int rows, columns;  // as we see it
  bool transposed;    // as cuBLASLt multiplies what it sees
};

// to = left right, in cuBLASLt's order.
struct Product {
  Operand left, right;
  void* to;
  int rows, columns;  // size of `to`, row-major
  cudaDataType_t in, out;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;  // with a bias
  const void* bias = nullptr;                               // for the epilogue: added, or written as a gradient
};

// y^T = weight x^T; the bias has an element for every row of that.
template <class T>
Product product_of(const LinearForward<T>& a) {
  const Operand weight{a.weight, a.out, a.in, true}, x{a.x, a.rows, a.in, false};
  return {weight, x, a.y, a.rows, a.out, data_type<T>, data_type<T>, CUBLASLT_EPILOGUE_BIAS, a.bias};
}

// The gradients by x or by the parameters: d_x^T = weight^T d_y^T; d_weight^T = x^T d_y, whose epilogue adds up the
// columns of d_y.
template <class T>
Product product_of(const LinearBackward<T>& a) {
  const Operand weight{a.weight, a.out, a.in, false}, x{a.x, a.rows, a.in, false};
  const Operand d_y{a.d_y, a.rows, a.out, a.d_x == nullptr};
  if (a.d_x) return {weight, d_y, a.d_x, a.rows, a.in, data_type<T>, data_type<T>};
  return {x, d_y, a.d_weight, a.out, a.in, data_type<T>, CUDA_R_32F, CUBLASLT_EPILOGUE_BGRADB, a.d_bias};
}

// True if cuBLASLt is asked at all: it needs a bias in the type of the sum it is added to.
template <class T>
bool has_product(const LinearForward<T>& a) {
  return std::is_same_v<T, float> || !a.bias;
}
template <class T>
bool has_product(const LinearBackward<T>& a) {
  return a.d_x || a.d_weight;
}

std::string text_of(const Product& p) {
  std::ostringstream text;
  text << (p.in == CUDA_R_32F ? " float " : " bfloat16 ") << p.left.rows << 'x' << p.left.columns << " and "
       << p.right.rows << 'x' << p.right.columns << " to " << p.rows << 'x' << p.columns << (p.bias ? ", bias" : "");
  return text.str();
}
template <class Arguments>
std::string line_of(const Arguments& a) {
  static const std::string first =
      card_name({DeviceKind::cuda}) + ", cuBLASLt " + std::to_string(cublasLtGetVersion()) + ", ";
  return first + Arguments::name + text_of(product_of(a));
}

// A product without its addresses, and the algorithms for it.
struct Plans {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t left, right, to;
  std::vector<std::string> candidates = {"own"};
  std::vector<cublasLtMatmulAlgo_t> algorithms = {{}};
  std::vector<std::size_t> workspaces = {0};
};

template <class Value>
void set(cublasLtMatmulDescOpaque_t& operation, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
  check(cublasLtMatmulDescSetAttribute(&operation, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}
template <class Value>
void set(cublasLtMatmulPreferenceOpaque_t& preference, cublasLtMatmulPreferenceAttributes_t attribute,
         const Value& value) {
  check(cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value),
        "cublasLtMatmulPreferenceSetAttribute");
}

void describe(cublasLtMatrixLayoutOpaque_t& layout, cudaDataType_t type, int rows, int columns) {
  check(cublasLtMatrixLayoutInit(&layout, type, static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows),
                                 columns),
        "cublasLtMatrixLayoutInit");
}

void describe(Plans& plans, const Product& p) {
  check(cublasLtMatmulDescInit(&plans.operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescInit");
  set(plans.operation, CUBLASLT_MATMUL_DESC_TRANSA, p.left.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plans.operation, CUBLASLT_MATMUL_DESC_TRANSB, p.right.transposed ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(plans.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, p.bias ? p.epilogue : CUBLASLT_EPILOGUE_DEFAULT);
  set(plans.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  describe(plans.left, p.in, p.left.rows, p.left.columns);
  describe(plans.right, p.in, p.right.rows, p.right.columns);
  describe(plans.to, p.out, p.rows, p.columns);
}

// Requirements on an algorithm. The same numbers every time: of the ways to divide the depth only those are let
// through that add up the parts in a step of its own, not in the order in which they come (in place). Sums in float,
// and floats are multiplied as they are: no tensor core, which would drop bits of them.
cublasLtMatmulPreferenceOpaque_t wanted(const Product& p) {
  cublasLtMatmulPreferenceOpaque_t preference;
  check(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, most_workspace);
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  if (p.in == CUDA_R_32F)
    set(preference, CUBLASLT_MATMUL_PREF_IMPL_MASK,
        std::uint64_t{CUBLASLT_NUMERICAL_IMPL_FLAGS_FMA | CUBLASLT_NUMERICAL_IMPL_FLAGS_ACCUMULATOR_32F |
                      CUBLASLT_NUMERICAL_IMPL_FLAGS_INPUT_32F});
  for (const auto matrix : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(preference, matrix, std::uint32_t{alignment});
  return preference;
}

// Describes an algorithm in numbers: the name under which a choice is kept.
std::string name_of(const cublasLtMatmulAlgo_t& algorithm) {
  std::string name = "cublaslt";
  for (const auto attribute : {CUBLASLT_ALGO_CONFIG_ID, CUBLASLT_ALGO_CONFIG_TILE_ID, CUBLASLT_ALGO_CONFIG_STAGES_ID,
                               CUBLASLT_ALGO_CONFIG_SPLITK_NUM, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                               CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION,
                               CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID}) {
    std::uint32_t value = 0;  // those of two bytes leave the upper ones alone
    std::size_t written = 0;
    check(cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value, sizeof value, &written),
          "cublasLtMatmulAlgoConfigGetAttribute");
    name += ' ' + std::to_string(value);
  }
  return name;
}

std::unique_ptr<Plans> make_plans(const Product& p) {
  auto plans = std::make_unique<Plans>();
  describe(*plans, p);
  cublasLtMatmulPreferenceOpaque_t preference = wanted(p);
  cublasLtMatmulHeuristicResult_t found[most_algorithms];
  int count = 0;
  if (cublasLtMatmulAlgoGetHeuristic(handle(), &plans->operation, &plans->left, &plans->right, &plans->to, &plans->to,
                                     &preference, most_algorithms, found, &count) != CUBLAS_STATUS_SUCCESS)
    return plans;  // there is none
  for (int i = 0; i < count; ++i) {
    if (found[i].state != CUBLAS_STATUS_SUCCESS) continue;
    plans->candidates.push_back(name_of(found[i].algo));
    plans->algorithms.push_back(found[i].algo);
    plans->workspaces.push_back(found[i].workspaceSize);
  }
  return plans;
}

// nullptr where cuBLASLt is not asked.
template <class Arguments>
Plans* plans_of(const Arguments& a) {
  static std::unordered_map<std::string, std::unique_ptr<Plans>> known;
  if (!has_product(a)) return nullptr;
  const Product p = product_of(a);
  for (const void* data : {p.left.data, p.right.data, static_cast<const void*>(p.to)})
    if (reinterpret_cast<std::uintptr_t>(data) % alignment != 0) return nullptr;
  std::unique_ptr<Plans>& plans = known[line_of(a)];
  if (!plans) plans = make_plans(p);
  return plans.get();
}

template <class Arguments>
bool run_candidate(Cuda gpu, Plans& plans, int candidate, const Arguments& a, void (*own)(Cuda, const Arguments&)) {
  if (candidate == 0) {
    own(gpu, a);
    return true;
  }
  const Product p = product_of(a);
  const float one = 1, zero = 0;
  const auto chosen = static_cast<std::size_t>(candidate);
  set(plans.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  return cublasLtMatmul(handle(), &plans.operation, &one, p.left.data, &plans.left, p.right.data, &plans.right, &zero,
                        p.to, &plans.to, p.to, &plans.to, &plans.algorithms[chosen], a.workspace,
                        plans.workspaces[chosen], static_cast<cudaStream_t>(gpu.stream)) == CUBLAS_STATUS_SUCCESS;
}

template <class Arguments>
void run_one(Cuda gpu, const Arguments& a, void (*own)(Cuda, const Arguments&)) {
  Plans* const plans = plans_of(a);
  if (plans == nullptr) return own(gpu, a);
  const std::string line = line_of(a);
  const auto run = [&](int candidate) { return run_candidate(gpu, *plans, candidate, a, own); };
  if (!run(cuda::fastest(gpu, line, plans->candidates, run)))
    throw Error(ErrorKind::internal, "cublaslt: the algorithm chosen for " + line + " failed");
}

template <class Arguments>
std::size_t workspace_of_one(const Arguments& a) {
  const Plans* const plans = plans_of(a);
  if (plans == nullptr) return 0;
  if (const std::optional<int> choice = tuning().chosen(line_of(a), plans->candidates))
    return plans->workspaces[static_cast<std::size_t>(*choice)];
  return *std::max_element(plans->workspaces.begin(), plans->workspaces.end());
}

// The requested gradients by x, and by the parameters.
template <class T>
LinearBackward<T> by_x(LinearBackward<T> a) {
  a.d_weight = a.d_bias = nullptr;
  return a;
}
template <class T>
LinearBackward<T> by_parameters(LinearBackward<T> a) {
  a.d_x = nullptr;
  return a;
}

}  // namespace

template <class T>
void run_fastest(Cuda gpu, const LinearForward<T>& a, void (*own)(Cuda, const LinearForward<T>&)) {
  run_one(gpu, a, own);
}
template <class T>
void run_fastest(Cuda gpu, const LinearBackward<T>& a, void (*own)(Cuda, const LinearBackward<T>&)) {
  if (a.d_x) run_one(gpu, by_x(a), own);
  if (a.d_weight || a.d_bias) run_one(gpu, by_parameters(a), own);
}

template <class T>
std::size_t cublaslt_workspace_bytes(const LinearForward<T>& a) {
  return workspace_of_one(a);
}
template <class T>
std::size_t cublaslt_workspace_bytes(const LinearBackward<T>& a) {
  return std::max(workspace_of_one(by_x(a)), workspace_of_one(by_parameters(a)));
}

#define FOR_BOTH_TYPES(family)                                                                       \
  template void run_fastest(Cuda, const family<float>&, void (*)(Cuda, const family<float>&));       \
  template void run_fastest(Cuda, const family<bfloat16>&, void (*)(Cuda, const family<bfloat16>&)); \
  template std::size_t cublaslt_workspace_bytes(const family<float>&);                               \
  template std::size_t cublaslt_workspace_bytes(const family<bfloat16>&);
FOR_BOTH_TYPES(LinearForward)
FOR_BOTH_TYPES(LinearBackward)

}  // namespace preceptor::kernels
