// Building blocks of transfer methods: losses on differences, normalized groups, products of rows.
#include "engine/ops/launch.h"
#include "kernels/decoupled_kl/decoupled_kl.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"
#include "kernels/gram_matrix/gram_matrix.h"
#include "kernels/l2_normalize/l2_normalize.h"
#include "kernels/linear/linear.h"
#include "kernels/pointwise_loss/pointwise_loss.h"
#include "kernels/relational_loss/relational_loss.h"
#include "kernels/softmax/softmax.h"

namespace preceptor {
namespace {

// x itself, or a contiguous copy; its gradient goes to x.
Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : copy_into(x, x.context().empty(x.shape())); }

RowLoss run_pointwise_loss(const char* op, PointwiseLossKind kind, const Tensor& student, const Tensor& teacher,
                           float scale, float parameter) {
  require(!teacher.defined() || student.shape() == teacher.shape(), op, ": student ", student.shape(), " and teacher ",
          teacher.shape(), " differ");
  require(student.is_contiguous() && teacher.is_contiguous(), op, ": maps are not contiguous");
  const int rows = student.shape()[0], columns = static_cast<int>(student.shape().elements()) / rows;
  RowLoss loss{student};
  launch<kernels::PointwiseLoss>(student, teacher, loss.values, loss.d_x, rows, columns, kind, scale, parameter);
  return loss;
}

struct Groups {
  int outer, length, inner;
};
Tensor l2_normalize(const Tensor& x, const Groups& groups, const L2NormalizeOptions& options) {
  Context& context = x.context();
  Tensor y = context.empty(x.shape());
  const Tensor inverse = context.empty({groups.outer * groups.inner});
  launch<kernels::L2Normalize>(x, y, inverse, groups.outer, groups.length, groups.inner, options.center, options.scale,
                               options.epsilon);
  context.tape().record(y, x, [value = y, inverse, groups, options](const Tensor& d_y, const Tensor& d_x) {
    launch<kernels::L2NormalizeBackward>(value, contiguous(d_y), inverse, d_x, groups.outer, groups.length,
                                         groups.inner, options.center, options.scale);
  });
  return y;
}

// Records `view`, which is x in another shape.
void record_reshaped(Tensor& view, const Tensor& x) {
  Tape& tape = x.context().tape();
  if (tape.requires_grad(x))
    tape.record(view, [source = x.shape_only(), &tape](const Tensor& d_view) {
      tape.accumulate(source, d_view.reshaped(source.shape()));
    });
}

}  // namespace

Tensor pointwise_loss(PointwiseLossKind kind, const Tensor& student, const Tensor& teacher, float scale,
                      float parameter) {
  const Tensor dense = contiguous(student);
  return run_pointwise_loss("pointwise_loss", kind, dense, teacher.defined() ? contiguous(teacher) : teacher, scale,
                            parameter)
      .recorded();
}

Tensor l2_norm_loss(const Tensor& student, const Tensor& teacher, float weight) {
  const Tensor dense = contiguous(student);
  const RowLoss loss = run_pointwise_loss("l2_norm_loss", PointwiseLossKind::square, dense, contiguous(teacher), 1, 0);
  const Tensor factor = student.context().empty({1});
  launch<kernels::RootOfSum>(loss.values, loss.values.shape()[0], weight, factor);
  launch<kernels::ScaleBy>(loss.d_x, factor, static_cast<std::int64_t>(loss.d_x.shape().elements()));
  return loss.recorded();
}

Tensor label_logits(const Tensor& student, const Tensor& labels, float of_label, float of_others) {
  require_matrix("label_logits", student);
  const int rows = student.shape()[0], classes = student.shape()[1];
  const bool multi_label = labels.shape() == student.shape();
  require(multi_label || labels.shape() == Shape{rows}, "label_logits: logits ", student.shape(), " and labels ",
          labels.shape(), " do not fit");
  const Tensor logits = student.context().empty(student.shape());
  launch<kernels::LabelLogits>(labels, student, logits, rows, classes, multi_label, of_label, of_others);
  return logits;
}

Tensor decoupled_kl(const Tensor& student, const Tensor& teacher, const Tensor& labels, float temperature,
                    float of_target, float of_others, float weight) {
  require_matrix("decoupled_kl", student);
  require_equal("decoupled_kl", "student", student, "teacher", teacher);
  const int rows = student.shape()[0], classes = student.shape()[1];
  require(labels.shape() == Shape{rows} && classes >= 2, "decoupled_kl: logits ", student.shape(), " and labels ",
          labels.shape(), " do not fit");
  require(temperature > 0, "decoupled_kl: temperature ", temperature, " is not positive");
  const RowLoss loss{student};
  launch<kernels::DecoupledKl>(student, teacher, labels, loss.values, loss.d_x, rows, classes, temperature, of_target,
                               of_others, weight / static_cast<float>(rows));
  return loss.recorded();
}

Tensor l2_normalize_rows(const Tensor& x, const L2NormalizeOptions& options) {
  require_matrix("l2_normalize_rows", x);
  return l2_normalize(x, {x.shape()[0], x.shape()[1], 1}, options);
}

Tensor l2_normalize_columns(const Tensor& x, const L2NormalizeOptions& options) {
  require_matrix("l2_normalize_columns", x);
  return l2_normalize(x, {1, x.shape()[0], x.shape()[1]}, options);
}

Tensor l2_normalize_maps(const Tensor& x, const L2NormalizeOptions& options) {
  require_map("l2_normalize_maps", x);
  const Tensor dense = contiguous(x);
  const int images = x.shape()[0], plane = x.shape()[2] * x.shape()[3];
  return l2_normalize(dense, {images * x.shape()[1] / dense.block(), plane, dense.block()}, options);
}

Tensor as_rows(const Tensor& x) {
  if (x.shape().rank() == 2) return x;
  require_map("as_rows", x);
  const bool as_it_is = x.is_contiguous() && x.storage() == Storage::float32;
  const Tensor dense = as_it_is ? x : copy_into(x, x.context().empty(x.shape(), Storage::float32));
  const int images = x.shape()[0];
  Tensor rows = dense.reshaped({images, static_cast<int>(x.shape().elements()) / images});
  record_reshaped(rows, dense);
  return rows;
}

Tensor as_map(const Tensor& x) {
  if (x.shape().rank() == 4) return x;
  require_matrix("as_map", x);
  Tensor map = x.reshaped({x.shape()[0], x.shape()[1], 1, 1});
  record_reshaped(map, x);
  const Tensor stored = x.context().empty(map.shape());
  return stored.storage() == map.storage() ? map : copy_into(map, stored);
}

Tensor matmul_nt(const Tensor& a, const Tensor& b) {
  require_matrix("matmul_nt", a);
  require_matrix("matmul_nt", b);
  require(a.shape()[1] == b.shape()[1], "matmul_nt: rows of ", a.shape(), " and ", b.shape(), " differ in length");
  Context& context = a.context();
  const int rows = a.shape()[0], columns = b.shape()[0], depth = a.shape()[1];
  Tensor y = context.empty({rows, columns});
  launch<kernels::LinearForward<float>>(a, b, nullptr, y, rows, depth, columns);
  const bool want_a = context.tape().requires_grad(a), want_b = context.tape().requires_grad(b);
  if (!want_a && !want_b) return y;
  context.tape().record(y, [=, &context](const Tensor& d_y) {
    const Tensor d_a = want_a ? context.empty(a.shape()) : Tensor(), d_b = want_b ? context.empty(b.shape()) : Tensor();
    launch<kernels::LinearBackward<float>>(a, b, d_y, d_a, d_b, nullptr, rows, depth, columns);
    if (want_a) context.tape().accumulate(a, d_a);
    if (want_b) context.tape().accumulate(b, d_b);
  });
  return y;
}

Tensor gram_matrix(const Tensor& x, const Tensor& y, float scale) {
  const Shape &a = x.shape(), &b = y.shape();
  require(a.rank() == 4 && b.rank() == 4 && a[0] == b[0] && a[2] == b[2] && a[3] == b[3], "gram_matrix: ", a, " and ",
          b, " differ in images, height or width");
  Context& context = x.context();
  const Tensor left = contiguous(x), right = contiguous(y);
  Tensor products = context.empty({a[0], a[1] * b[1]});
  launch<kernels::GramMatrix>(left, right, products, scale);
  const bool want_left = context.tape().requires_grad(left), want_right = context.tape().requires_grad(right);
  if (!want_left && !want_right) return products;
  context.tape().record(products, [=, &context](const Tensor& d_products) {
    const auto differentiate = [&](const Tensor& by, const Tensor& other, bool transposed) {
      const Tensor d_x = context.empty(by.shape());
      launch<kernels::GramMatrixBackward>(other, d_products, d_x, scale, transposed);
      context.tape().accumulate(by, d_x);
    };
    if (want_left) differentiate(left, right, false);
    if (want_right) differentiate(right, left, true);
  });
  return products;
}

Tensor temperature_softmax(const Tensor& logits, float temperature, bool independent) {
  require_matrix("temperature_softmax", logits);
  require(temperature > 0, "temperature_softmax: temperature ", temperature, " is not positive");
  const int rows = logits.shape()[0], classes = logits.shape()[1];
  Context& context = logits.context();
  Tensor p = context.empty(logits.shape());
  launch<kernels::TemperatureSoftmax>(logits, p, rows, classes, temperature, independent);
  context.tape().record(p, logits, [=, value = p](const Tensor& d_p, const Tensor& d_logits) {
    launch<kernels::TemperatureSoftmaxBackward>(value, d_p, d_logits, rows, classes, temperature, independent);
  });
  return p;
}

Tensor squared_distances(const Tensor& x) {
  require_matrix("squared_distances", x);
  const int rows = x.shape()[0], columns = x.shape()[1];
  Context& context = x.context();
  Tensor distances = context.empty({rows, rows});
  launch<kernels::SquaredDistances>(x, distances, rows, columns);
  if (!context.tape().requires_grad(x)) return distances;
  context.tape().record(distances, [=, &context](const Tensor& d_distances) {
    const Tensor d_x = context.empty(x.shape());
    launch<kernels::SquaredDistancesBackward>(x, d_distances, d_x, rows, columns);
    context.tape().accumulate(x, d_x);
  });
  return distances;
}

Tensor relational_loss(Relation relation, const Tensor& student, const Tensor& teacher, float weight) {
  const int rows = student.shape()[0];
  require(student.shape() == Shape({rows, rows}) && teacher.shape() == student.shape(), "relational_loss: student ",
          student.shape(), " and teacher ", teacher.shape(), " are no relations of one batch");
  const RowLoss loss{student};
  launch<kernels::RelationalLoss>(student, teacher, loss.values, loss.d_x, rows, relation, weight);
  return loss.recorded();
}

Tensor gaussian_likelihood(const Tensor& prediction, const Tensor& target, const Parameter& raw, float weight) {
  const Shape& shape = prediction.shape();
  require(shape.rank() == 4 && target.shape() == shape && raw.shape() == Shape{shape[1]},
          "gaussian_likelihood: prediction ", shape, ", target ", target.shape(), " and variances ", raw.shape(),
          " do not fit");
  Context& context = prediction.context();
  const Tensor dense = contiguous(prediction), values = contiguous(target);
  const Tensor loss = context.empty({shape[1]}), d_raw = context.empty({shape[1]}), d_prediction = context.empty(shape);
  launch<kernels::GaussianLikelihood>(dense, values, raw.value(), loss, d_prediction, d_raw, weight, 1e-5f);
  Tape& tape = context.tape();
  const bool want_raw = tape.recording() && raw.requires_grad();
  if (!want_raw && !tape.requires_grad(dense)) return loss;
  tape.record_loss([=, by = dense.shape_only(), &context](const Tensor&) {
    if (want_raw) {
      context.copy(raw.gradient(), d_raw.data(), d_raw.shape().elements() * sizeof(float));
      if (const float* factor = context.tape().factor())
        context.run(
            kernels::ScaleBy<float>{raw.gradient(), factor, static_cast<std::int64_t>(d_raw.shape().elements())});
    }
    context.tape().accumulate(by, d_prediction);
  });
  return loss;
}

}  // namespace preceptor
