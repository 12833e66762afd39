// Boosting and its replicas as Python calls them.
#include "bindings_arrays.hpp"
#include "boost.hpp"
#include "parallel.hpp"
#include "replicas.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace {


using TreeList = std::vector<const heldout::Tree *>;

template <typename Element, typename Source, typename Get>
nb::ndarray<nb::numpy, Element, nb::ndim<1>> flattened(const TreeList &trees, std::size_t n, Get get) {
  auto data = std::make_unique<Element[]>(n);
  std::size_t at = 0;
  for (const heldout::Tree *tree : trees)
    for (const Source value : get(*tree)) data[at++] = static_cast<Element>(value);
  return handed_over<nb::ndarray<nb::numpy, Element, nb::ndim<1>>>(std::move(data), {n});
}

nb::dict flat_trees(const TreeList &trees) {
  std::size_t n = 0;
  auto starts = std::make_unique<std::int64_t[]>(trees.size() + 1);
  starts[0] = 0;
  for (std::size_t t = 0; t < trees.size(); ++t) starts[t + 1] = static_cast<std::int64_t>(n += trees[t]->n_nodes());
  nb::dict out;
  using T = heldout::Tree;
  out["starts"] = handed_over<nb::ndarray<nb::numpy, std::int64_t, nb::ndim<1>>>(std::move(starts), {trees.size() + 1});
  out["feature"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.feature; });
  out["bin"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.bin; });
  out["left"] = flattened<std::int32_t, std::int32_t>(trees, n, [](const T &t) -> auto & { return t.left; });
  out["missing_left"] = flattened<bool, std::uint8_t>(trees, n, [](const T &t) -> auto & { return t.missing_left; });
  out["gain"] = flattened<double, double>(trees, n, [](const T &t) -> auto & { return t.gain; });
  out["value"] = flattened<double, double>(trees, n, [](const T &t) -> auto & { return t.value; });
  out["count"] = flattened<std::int64_t, std::int64_t>(trees, n, [](const T &t) -> auto & { return t.count; });
  return out;
}

// What a fit is told in numbers, from a dict. A key that nobody asks for is a mistake.
class Settings {
public:
  explicit Settings(const nb::dict &dict) {
    for (const auto [key, value] : dict) left_[nb::cast<std::string>(key)] = nb::borrow(value);
  }
  template <typename T> T get(const char *name) {
    T value{};
    if (!take(name, value)) throw nb::value_error((std::string("settings lack ") + name).c_str());
    return value;
  }
  template <typename T> void override_with(const char *name, T &value) { take(name, value); }
  void check_that_none_is_left() const {
    if (!left_.empty()) throw nb::value_error(("there is no setting " + left_.begin()->first).c_str());
  }

private:
  template <typename T> bool take(const char *name, T &value) {
    const auto found = left_.find(name);
    if (found == left_.end()) return false;
    value = nb::cast<T>(found->second);
    left_.erase(found);
    return true;
  }

  std::map<std::string, nb::object> left_;
};

heldout::BoostingRule boosting_rule(Settings settings) {
  heldout::BoostingRule rule;
  rule.n_rounds = settings.get<int>("n_rounds");
  rule.first_round = settings.get<int>("first_round");
  rule.learning_rate = settings.get<double>("learning_rate");
  rule.max_features = settings.get<double>("max_features");
  rule.seed = settings.get<std::uint64_t>("seed");
  rule.growth.max_leaves = settings.get<int>("max_leaves");
  rule.growth.least = settings.get<std::int64_t>("least_count");
  rule.growth.l2 = settings.get<double>("l2");
  rule.least_hessian = settings.get<double>("least_hessian");
  settings.override_with("few_rows", rule.growth.few_rows);
  settings.override_with("together_rows", rule.growth.together_rows);
  settings.override_with("shared_rows", rule.growth.shared_rows);
  settings.override_with("pool_bytes", rule.growth.pool_bytes);
  settings.override_with("narrow_limit", rule.format.narrow_limit);
  settings.override_with("most_flushed_bits", rule.format.most_flushed_bits);
  settings.override_with("forced_format", rule.format.forced);
  settings.check_that_none_is_left();
  return rule;
}

void check_rows(std::size_t n_rows, std::size_t came, const char *what) {
  if (came != n_rows) throw nb::value_error((std::string(what) + " must have one entry per row").c_str());
}

void check_table(const CodeMatrix &codes, const std::vector<int> &n_bins) {
  const std::size_t n_features = codes.shape(0), n_rows = codes.shape(1);
  if (n_bins.size() != n_features) throw nb::value_error("n_bins must have one entry per feature");
  if (n_rows == 0 || n_rows >= (std::size_t{1} << 31)) throw nb::value_error("there must be from 1 to 2^31 - 1 rows");
  for (const int bins : n_bins)
    if (bins < 1 || bins > heldout::kMaxBins) throw nb::value_error("a feature must have from 1 to 254 bins");
  for (std::size_t feature = 0; feature < n_features; ++feature)
    for (std::size_t row = 0; row < n_rows; ++row) {
      const std::uint8_t code = codes.data()[feature * n_rows + row];
      if (code >= n_bins[feature] && code != heldout::kMissing) throw nb::value_error("a code lies beyond its feature's bins");
    }
}

heldout::Targets targets_of(int loss, std::size_t n_rows, std::size_t n_outputs, const Column &target, const std::optional<Column> &weight) {
  if (loss < 0 || loss > 2) throw nb::value_error("loss must be 0, 1 or 2");
  if (n_outputs < 1 || (loss != 2 && n_outputs != 1)) throw nb::value_error("n_outputs must be 1, or above 0 for the loss 2");
  check_rows(n_rows, target.shape(0), "target");
  if (weight) check_rows(n_rows, weight->shape(0), "weight");
  heldout::Targets targets;
  targets.loss = static_cast<heldout::Loss>(loss);
  targets.n_rows = n_rows;
  targets.n_outputs = static_cast<int>(n_outputs);
  targets.target = target.data();
  targets.weight = weight ? weight->data() : nullptr;
  const double n_classes = targets.loss == heldout::Loss::logistic ? 2.0 : static_cast<double>(n_outputs);
  for (std::size_t row = 0; targets.loss != heldout::Loss::squared && row < n_rows; ++row)
    if (!(target.data()[row] >= 0 && target.data()[row] < n_classes)) throw nb::value_error("a target must be a class number");
  return targets;
}

// Asks Python whether the user wants to stop, and the callback if there is one; seldom where rounds are short.
class BetweenRounds {
public:
  explicit BetweenRounds(nb::object callback) : callback_(std::move(callback)), last_(std::chrono::steady_clock::now()) {}
  bool operator()(int round, const heldout::Boosted &so_far) {
    return ask(round, [&] { return so_far.validation_losses.empty() ? nb::none() : nb::object(nb::float_(so_far.validation_losses.back())); });
  }
  bool operator()(int round, const std::vector<double> &losses) {
    return ask(round, [&] { return losses.empty() || std::isnan(losses.front()) ? nb::none() : nb::object(nb::float_(losses.front())); });
  }

private:
  template <typename Loss> bool ask(int round, Loss &&loss) {
    const auto now = std::chrono::steady_clock::now();
    if (callback_.is_none() && now - last_ < std::chrono::milliseconds(50)) return false;
    last_ = now;
    nb::gil_scoped_acquire held;
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    return !callback_.is_none() && nb::cast<bool>(nb::bool_(callback_(round, loss())));
  }

  nb::object callback_;
  std::chrono::steady_clock::time_point last_;
};

nb::dict boost(const CodeMatrix &codes, const std::vector<int> &n_bins, const Column &target, const std::optional<Column> &weight,
               const std::optional<Counts> &count, Scores scores, int loss, const nb::dict &settings, int n_threads,
               const std::optional<CodeMatrix> &validation_codes, const std::optional<Column> &validation_target,
               const std::optional<Column> &validation_weight, const std::optional<Scores> &validation_scores, int patience,
               nb::object callback) {
  const std::size_t n_features = codes.shape(0), n_rows = codes.shape(1), n_outputs = scores.shape(0);
  check_table(codes, n_bins);
  check_rows(n_rows, scores.shape(1), "scores");
  if (count) check_rows(n_rows, count->shape(0), "count");
  const heldout::BoostingRule rule = boosting_rule(Settings(settings));
  heldout::Targets targets = targets_of(loss, n_rows, n_outputs, target, weight);
  heldout::Validation validation;
  if (validation_codes) {
    if (!validation_target || !validation_scores) throw nb::value_error("validation rows need codes, targets and scores");
    const std::size_t n = validation_codes->shape(1);
    if (validation_codes->shape(0) != n_features || validation_scores->shape(0) != n_outputs || validation_scores->shape(1) != n)
      throw nb::value_error("validation rows must have the shape of the others");
    validation.codes = validation_codes->data();
    validation.targets = targets_of(loss, n, n_outputs, *validation_target, validation_weight);
    validation.scores = validation_scores->data();
    validation.patience = patience;
  }
  BetweenRounds between(std::move(callback));
  heldout::Boosted boosted;
  {
    nb::gil_scoped_release released;
    heldout::Team team(n_threads);
    if (targets.loss == heldout::Loss::squared)
      targets.exponent = heldout::target_exponent(target.data(), count ? count->data() : nullptr, n_rows, scores.data());
    const heldout::BinnedRows matrix = heldout::make_blocks(codes.data(), n_rows, n_bins, team);
    boosted = heldout::boost(matrix, targets, count ? count->data() : nullptr, rule, scores.data(), validation, team, std::ref(between));
  }
  TreeList trees;
  for (const heldout::Tree &tree : boosted.trees) trees.push_back(&tree);
  nb::dict out = flat_trees(trees);
  out["validation_losses"] = nb::cast(boosted.validation_losses);
  out["best_round"] = boosted.best_round;
  return out;
}

bool has_rows(const heldout::Targets &targets, const std::uint8_t *count) {
  for (std::size_t row = 0; row < targets.n_rows; ++row)
    if (count[row] != 0 && (!targets.weight || targets.weight[row] > 0.0)) return true;
  return false;
}

using Factors = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

void check_factors(const heldout::Targets &targets, const std::optional<Factors> &factors, std::size_t n, std::size_t n_classes) {
  if (!factors) return;
  if (targets.loss == heldout::Loss::squared) throw nb::value_error("numbers have no classes, so no class_factors");
  if (factors->shape(0) != n || factors->shape(1) != n_classes) throw nb::value_error("class_factors must have one entry per class");
  for (std::size_t i = 0; i < n * n_classes; ++i)
    if (!(factors->data()[i] > 0.0 && std::isfinite(factors->data()[i]))) throw nb::value_error("class_factors must be above 0 and finite");
}

// What is wanted of replicas, checked against the table.
heldout::ReplicationRule replication_rule(const heldout::Targets &targets, const CodeMatrix &weights, const std::optional<CodeMatrix> &roles,
                                          const std::vector<int> &ensemble_of, const std::vector<std::uint64_t> &seeds,
                                          const std::vector<int> &rounds, const std::vector<int> &sizes,
                                          const std::optional<CodeMatrix> &refit_counts, const std::optional<Factors> &class_factors,
                                          const std::optional<Factors> &refit_class_factors) {
  const std::size_t n_rows = targets.n_rows, n_replicas = weights.shape(0), n_ensembles = rounds.size();
  if (n_replicas == 0 || weights.shape(1) != n_rows) throw nb::value_error("weights must have one row per replica, one entry per table row");
  if (roles && (roles->shape(0) != n_replicas || roles->shape(1) != n_rows)) throw nb::value_error("roles must have the shape of weights");
  if (ensemble_of.size() != n_replicas || seeds.size() != n_replicas) throw nb::value_error("each replica needs an ensemble and a seed");
  if (n_ensembles == 0 || sizes.size() != n_ensembles) throw nb::value_error("each ensemble needs a number of rounds and a size");
  if (refit_counts && (refit_counts->shape(0) != n_ensembles || refit_counts->shape(1) != n_rows))
    throw nb::value_error("refit_counts must have one row per ensemble, one entry per table row");
  const std::size_t n_classes = targets.loss == heldout::Loss::logistic ? 2 : static_cast<std::size_t>(targets.n_outputs);
  check_factors(targets, class_factors, n_replicas, n_classes);
  check_factors(targets, refit_class_factors, n_ensembles, n_classes);
  heldout::ReplicationRule rule;
  std::vector<char> used(n_ensembles, 0);
  for (std::size_t k = 0; k < n_replicas; ++k) {
    const std::uint8_t *count = weights.data() + k * n_rows, *role = roles ? roles->data() + k * n_rows : nullptr;
    if (!has_rows(targets, count)) throw nb::value_error("a replica has no rows of positive weight");
    for (std::size_t row = 0; role && row < n_rows; ++row) {
      if (role[row] > (heldout::kStops | heldout::kPredicted)) throw nb::value_error("a role must be 0, 1, 2 or 3");
      if (count[row] != 0 && (role[row] & heldout::kStops) != 0) throw nb::value_error("a row that a replica is fitted to must not stop it");
    }
    if (ensemble_of[k] < 0 || static_cast<std::size_t>(ensemble_of[k]) >= n_ensembles) throw nb::value_error("there is no such ensemble");
    used[static_cast<std::size_t>(ensemble_of[k])] = 1;
    const double *class_factor = class_factors ? class_factors->data() + k * n_classes : nullptr;
    rule.replicas.push_back({count, role, ensemble_of[k], seeds[k], class_factor});
  }
  if (std::find(used.begin(), used.end(), 0) != used.end()) throw nb::value_error("an ensemble has no replica");
  for (std::size_t e = 0; e < n_ensembles; ++e) {
    if (rounds[e] < 1 || sizes[e] < 1) throw nb::value_error("rounds and sizes must be above 0");
    const std::uint8_t *refit_count = refit_counts ? refit_counts->data() + e * n_rows : nullptr;
    if (refit_count && !has_rows(targets, refit_count)) throw nb::value_error("an ensemble has no rows of positive weight to refit");
    const double *class_factor = refit_class_factors ? refit_class_factors->data() + e * n_classes : nullptr;
    rule.ensembles.push_back({rounds[e], sizes[e], refit_count, class_factor});
  }
  return rule;
}

template <typename Element> nb::ndarray<nb::numpy, Element, nb::ndim<1>> one_dimension(const std::vector<Element> &values) {
  auto data = std::make_unique<Element[]>(std::max<std::size_t>(1, values.size()));
  std::copy(values.begin(), values.end(), data.get());
  return handed_over<nb::ndarray<nb::numpy, Element, nb::ndim<1>>>(std::move(data), {values.size()});
}

nb::ndarray<nb::numpy, double, nb::ndim<2>> two_dimensions(const std::vector<double> &values, std::size_t n_outputs) {
  auto data = std::make_unique<double[]>(std::max<std::size_t>(1, values.size()));
  std::copy(values.begin(), values.end(), data.get());
  return handed_over<nb::ndarray<nb::numpy, double, nb::ndim<2>>>(std::move(data), {n_outputs, values.size() / n_outputs});
}

// Trees round by round, of each round replica by replica, of each replica output by output.
nb::dict trees_of(const heldout::GrownEnsemble &grown, std::size_t n_outputs) {
  TreeList trees;
  std::vector<double> value;
  std::vector<std::int64_t> count;
  for (std::size_t round = 0; round < static_cast<std::size_t>(grown.n_rounds); ++round)
    for (std::size_t k = 0; k < grown.members.size(); ++k)
      for (std::size_t output = 0; output < n_outputs; ++output) {
        const std::size_t at = round * n_outputs + output;
        trees.push_back(&grown.members[k][at]);
        if (grown.refitted.empty()) continue;
        const heldout::RefittedLeaves &leaves = grown.refitted[k][at];
        value.insert(value.end(), leaves.value.begin(), leaves.value.end());
        count.insert(count.end(), leaves.count.begin(), leaves.count.end());
      }
  nb::dict out = flat_trees(trees);
  if (!grown.refitted.empty()) {
    out["refit_value"] = one_dimension(value);
    out["refit_count"] = one_dimension(count);
  }
  return out;
}

nb::dict ensemble_of_grown(const heldout::GrownEnsemble &grown, std::size_t n_outputs, bool keep_trees) {
  nb::dict out;
  out["trees"] = keep_trees ? nb::object(trees_of(grown, n_outputs)) : nb::none();
  std::vector<double> bases;
  for (const std::vector<double> &base : grown.bases) bases.insert(bases.end(), base.begin(), base.end());
  out["bases"] = one_dimension(bases);
  out["refit_base"] = one_dimension(grown.refit_base);
  out["rows"] = one_dimension(grown.rows);
  out["mean"] = two_dimensions(grown.predicted.mean, n_outputs);
  out["variance"] = two_dimensions(grown.predicted.variance, n_outputs);
  out["n_members"] = one_dimension(grown.predicted.n_members);
  out["refit_mean"] = two_dimensions(grown.refit_predicted.mean, n_outputs);
  out["curve"] = one_dimension(grown.curve);
  out["members_per_row"] = grown.members_per_row;
  out["best_round"] = grown.best_round;
  out["n_rounds"] = grown.n_rounds;
  return out;
}

nb::list boost_replicas(const CodeMatrix &codes, const std::vector<int> &n_bins, const Column &target, const std::optional<Column> &weight,
                        int loss, int n_outputs, const nb::dict &settings, const CodeMatrix &weights,
                        const std::optional<CodeMatrix> &roles, const std::vector<int> &ensemble_of, const std::vector<std::uint64_t> &seeds,
                        const std::vector<int> &rounds, const std::vector<int> &sizes, const std::optional<CodeMatrix> &refit_counts,
                        const std::optional<Factors> &class_factors, const std::optional<Factors> &refit_class_factors,
                        const std::optional<Column> &curve_weight, int patience, bool keep_trees, int n_threads, nb::object callback) {
  const std::size_t n_rows = codes.shape(1);
  check_table(codes, n_bins);
  const heldout::BoostingRule rule = boosting_rule(Settings(settings));
  const heldout::Targets targets = targets_of(loss, n_rows, static_cast<std::size_t>(n_outputs), target, weight);
  heldout::ReplicationRule replication = replication_rule(targets, weights, roles, ensemble_of, seeds, rounds, sizes, refit_counts, class_factors, refit_class_factors);
  if (curve_weight) check_rows(n_rows, curve_weight->shape(0), "curve_weight");
  replication.curve_weight = curve_weight ? curve_weight->data() : nullptr;
  replication.patience = patience;
  replication.keep_trees = keep_trees;
  BetweenRounds between(std::move(callback));
  std::vector<heldout::GrownEnsemble> grown;
  {
    nb::gil_scoped_release released;
    heldout::Team team(n_threads);
    const heldout::BinnedRows matrix = heldout::make_blocks(codes.data(), n_rows, n_bins, team);
    grown = heldout::boost_replicas(matrix, targets, rule, replication, team, std::ref(between));
  }
  nb::list out;
  for (const heldout::GrownEnsemble &ensemble : grown) out.append(ensemble_of_grown(ensemble, static_cast<std::size_t>(n_outputs), keep_trees));
  return out;
}

nb::list best_constants(const Column &target, const std::optional<Column> &weight, const std::optional<Counts> &count, int loss, int n_outputs) {
  const heldout::Targets targets = targets_of(loss, target.shape(0), static_cast<std::size_t>(n_outputs), target, weight);
  if (count) check_rows(target.shape(0), count->shape(0), "count");
  nb::list out;
  for (const double value : heldout::best_constants(targets, count ? count->data() : nullptr)) out.append(value);
  return out;
}

} // namespace

void bind_boosting(nb::module_ &module) {
  module.def("boost", &boost, "codes"_a, "n_bins"_a, "target"_a, "weight"_a.none(), "count"_a.none(), "scores"_a.noconvert(), "loss"_a,
             "settings"_a, "n_threads"_a = 1, "validation_codes"_a = nb::none(), "validation_target"_a = nb::none(),
             "validation_weight"_a = nb::none(), "validation_scores"_a.noconvert() = nb::none(), "patience"_a = 0, "callback"_a = nb::none(),
             "Grow rounds of trees onto scores, which are updated in place.");
  module.def("boost_replicas", &boost_replicas, "codes"_a, "n_bins"_a, "target"_a, "weight"_a.none(), "loss"_a, "n_outputs"_a, "settings"_a,
             "weights"_a, "roles"_a.none(), "ensemble_of"_a, "seeds"_a, "rounds"_a, "sizes"_a, "refit_counts"_a.none() = nb::none(),
             "class_factors"_a.none() = nb::none(), "refit_class_factors"_a.none() = nb::none(), "curve_weight"_a.none() = nb::none(), "patience"_a = 0, "keep_trees"_a = true, "n_threads"_a = 1, "callback"_a = nb::none(),
             "Grow many boosters over one binned matrix; one dict per ensemble.");
  module.def("best_constants", &best_constants, "target"_a, "weight"_a.none(), "count"_a.none(), "loss"_a, "n_outputs"_a,
             "The constant score of least loss, one per output.");
}
