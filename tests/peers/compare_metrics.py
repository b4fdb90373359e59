"""Holds the numbers of preceptor-evaluate and preceptor-compare to scikit-learn and SciPy.

    python tests/peers/compare_metrics.py BIN_DIR

Tables are drawn with ties, unknown labels, labels with one class only and rare ones, and classes. Prints the largest
differences and fails (1) where one exceeds its bound. Exit code 77, which ctest shows as skipped, where NumPy, SciPy or
scikit-learn are missing.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import scipy.optimize
    import scipy.special
    import scipy.stats
    import sklearn.metrics as metrics
    from sklearn.calibration import _SigmoidCalibration
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

EXACT = 1e-11  # sums of some thousand terms in another order
FITTED = 1e-5  # minima that the peers' optimizers stop short of
BINS = 15

worst = {}


def hold(name, got, expected, bound=EXACT):
    got = float("nan") if got is None else float(got)
    expected = float(expected)
    if np.isnan(got) and np.isnan(expected):
        return
    apart = abs(got - expected)
    key = name.split(":")[0]
    worst[key] = max(worst.get(key, (0, bound)), (apart, bound))
    if not apart <= bound:
        print(f"FAILED {name}: {got} here, {expected} there")
        sys.exit(1)


def table(path, labels, probabilities, classes=False):
    """labels [n] or [n, outputs] with NaN for unknown."""
    names = [f"l{j}" for j in range(probabilities.shape[1])]
    heads = ["label"] if classes else [f"label:{name}" for name in names]
    with open(path, "w") as file:
        file.write(",".join(["id"] + heads + [f"probability:{name}" for name in names]) + "\n")
        for i, row in enumerate(probabilities):
            known = [labels[i]] if classes else labels[i]
            cells = ["" if np.isnan(value) else str(int(value)) for value in known]
            file.write(",".join([f"x{i}"] + cells + [repr(float(p)) for p in row]) + "\n")


def run(program, *arguments):
    done = subprocess.run([str(program), *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"FAILED {program}: {done.stderr}")
        sys.exit(1)
    return json.loads(done.stdout)


def components(scores, labels):
    """DeLong's V10 and V01 by comparing all pairs."""
    wins = (scores[labels == 1][:, None] > scores[labels == 0]) + 0.5 * (scores[labels == 1][:, None] == scores[labels == 0])
    return wins.mean(1), wins.mean(0)


def delong_covariance(first, second, labels):
    (a10, a01), (b10, b01) = components(first, labels), components(second, labels)
    return np.cov(a10, b10)[0, 1] / len(a10) + np.cov(a01, b01)[0, 1] / len(a01)


def calibration_error(probabilities, hits):
    bins = np.clip(np.ceil(probabilities * BINS).astype(int) - 1, 0, BINS - 1)
    apart = [(np.sum(bins == b), abs(hits[bins == b].mean() - probabilities[bins == b].mean())) for b in np.unique(bins)]
    return sum(n * e for n, e in apart) / len(probabilities), max(e for _, e in apart)


def both_classes(labels):
    return 0 < np.sum(labels) < len(labels)


def check_label(label, scores, truth, threshold):
    known = ~np.isnan(truth)
    s, y = scores[known], truth[known].astype(int)
    hold("known", label["known"], len(y))
    if both_classes(y):
        hold("AUC", label["auc"]["value"], metrics.roc_auc_score(y, s))
        if 1 < y.sum() < len(y) - 1:
            half = 1.959963984540054 * np.sqrt(delong_covariance(s, s, y))
            hold("DeLong: low", label["auc"]["low"], max(0, metrics.roc_auc_score(y, s) - half))
    if y.sum() > 0:
        hold("average precision", label["average_precision"]["value"], metrics.average_precision_score(y, s))
    called = (s >= threshold).astype(int)
    tn, fp, fn, tp = metrics.confusion_matrix(y, called, labels=[0, 1]).ravel()
    for name, part, whole in [("sensitivity", tp, tp + fn), ("specificity", tn, tn + fp), ("ppv", tp, tp + fp), ("npv", tn, tn + fn)]:
        if whole > 0:
            wilson = scipy.stats.binomtest(int(part), int(whole)).proportion_ci(method="wilson")
            hold(name, label[name]["value"], part / whole)
            hold(f"Wilson: {name} low", label[name]["low"], wilson.low)
            hold(f"Wilson: {name} high", label[name]["high"], wilson.high)
    if y.sum() + called.sum() > 0:
        hold("F1", label["f1"], metrics.f1_score(y, called))
    hold("accuracy", label["accuracy"], metrics.accuracy_score(y, called))
    if both_classes(y):
        hold("balanced accuracy", label["balanced_accuracy"], metrics.balanced_accuracy_score(y, called))
    hold("Brier", label["calibration"]["brier"], metrics.brier_score_loss(y, s))
    hold("log loss", label["calibration"]["log_loss"], metrics.log_loss(y, s, labels=[0, 1]))
    expected, largest = calibration_error(s, y)
    hold("ECE", label["calibration"]["ece"], expected)
    hold("MCE", label["calibration"]["mce"], largest)


def draw_findings(random, rows, outputs, levels):
    truth = (random.random((rows, outputs)) < random.uniform(0.05, 0.6, outputs)).astype(float)
    logits = random.normal(size=(rows, outputs)) + truth * random.uniform(0, 2, outputs) - 0.5
    probabilities = scipy.special.expit(logits)
    if levels:
        probabilities = np.round(probabilities * levels) / levels
    truth[random.random((rows, outputs)) < 0.1] = np.nan
    truth[:, 0] = 0  # one class only
    truth[: rows // 2, 0] = np.nan
    return truth, probabilities


def check_findings(evaluate, folder, random, rows, levels):
    truth, probabilities = draw_findings(random, rows, 5, levels)
    val_truth, val_probabilities = draw_findings(random, rows, 5, levels)
    table(folder / "test.csv", truth, probabilities)
    table(folder / "val.csv", val_truth, val_probabilities)
    result = run(evaluate, folder / "test.csv", "--validation", folder / "val.csv", "--bootstrap", 20, "--thresholds", "youden")
    point = result["operating_point"]
    areas, weights, pooled_truth, pooled_scores = [], [], [], []
    for j, label in enumerate(result["labels"]):
        threshold = label["threshold"]
        check_label(label, probabilities[:, j], truth[:, j], threshold)
        known, val_known = ~np.isnan(truth[:, j]), ~np.isnan(val_truth[:, j])
        pooled_truth += list(truth[known, j])
        pooled_scores += list(probabilities[known, j])
        y, s = val_truth[val_known, j], val_probabilities[val_known, j]
        if both_classes(truth[known, j]):
            areas.append(metrics.roc_auc_score(truth[known, j], probabilities[known, j]))
            weights.append(truth[known, j].sum())
        if not both_classes(y):
            continue
        false, true, thresholds = metrics.roc_curve(y, s, drop_intermediate=False)
        best = np.max(true - false)
        at = np.flatnonzero(thresholds == threshold)
        hold("Youden", (true - false)[at[0]] if len(at) else 0.0, best)
        logits = np.clip(s, 2.0**-25, 1 - 2.0**-25)
        logits = np.log(logits) - np.log1p(-logits)
        peer = _SigmoidCalibration().fit(logits, y)
        if peer.a_ < 0:  # 1 / (1 + exp(a f + b))
            hold("Platt: slope", point["slopes"][j], -peer.a_, FITTED * max(1, abs(peer.a_)))
            hold("Platt: intercept", point["intercepts"][j], -peer.b_, FITTED * max(1, abs(peer.b_)))
    hold("macro", result["auc_macro"], np.mean(areas))
    hold("weighted", result["auc_weighted"]["value"], np.average(areas, weights=weights))
    hold("micro", result["auc_micro"]["value"], metrics.roc_auc_score(pooled_truth, pooled_scores))


def check_classes(evaluate, folder, random, rows, outputs):
    def drawn():
        truth = random.integers(0, outputs, rows)
        logits = 2 * random.normal(size=(rows, outputs))
        logits[np.arange(rows), truth] += 2
        return truth, scipy.special.softmax(logits, axis=1)

    (truth, probabilities), (val_truth, val_probabilities) = drawn(), drawn()
    table(folder / "test.csv", truth, probabilities, classes=True)
    table(folder / "val.csv", val_truth, val_probabilities, classes=True)
    result = run(evaluate, folder / "test.csv", "--validation", folder / "val.csv", "--bootstrap", 20)
    chosen = probabilities.argmax(1)
    hold("accuracy", result["accuracy"], metrics.accuracy_score(truth, chosen))
    hold("balanced accuracy", result["balanced_accuracy"]["value"], metrics.balanced_accuracy_score(truth, chosen))
    hold("class log loss", result["calibration"]["log_loss"], metrics.log_loss(truth, probabilities, labels=range(outputs)))
    brier = np.mean(np.sum((probabilities - np.eye(outputs)[truth]) ** 2, axis=1))
    hold("class Brier", result["calibration"]["brier"], brier)
    hold("class ECE", result["calibration"]["ece"], calibration_error(probabilities.max(1), (chosen == truth).astype(float))[0])
    if outputs > 2:
        hold("kappa", result["quadratic_weighted_kappa"]["value"], metrics.cohen_kappa_score(truth, chosen, weights="quadratic"))
        hold("absolute error", result["mean_absolute_error"]["value"], metrics.mean_absolute_error(truth, chosen))
        hold("macro", result["auc_macro"], metrics.roc_auc_score(truth, probabilities, multi_class="ovr"))
    else:
        hold("AUC", result["auc_macro"], metrics.roc_auc_score(truth, probabilities[:, 1]))

    def loss(inverse):
        return metrics.log_loss(val_truth, scipy.special.softmax(inverse * np.log(val_probabilities), axis=1), labels=range(outputs))

    best = scipy.optimize.minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-10})
    hold("temperature", 1 / result["operating_point"]["temperature"], best.x, FITTED)


def check_comparison(compare, folder, random, rows):
    truth, probabilities = draw_findings(random, rows, 3, 0)
    truth[:, 0] = (random.random(rows) < 0.3).astype(float)
    truth[np.isnan(truth)] = 0
    other = scipy.special.expit(scipy.special.logit(probabilities) + random.normal(size=probabilities.shape))
    table(folder / "one.csv", truth, probabilities)
    table(folder / "two.csv", truth, other)
    result = run(compare, folder / "one.csv", folder / "two.csv")["differences"][0]
    p_values = []
    for j in range(3):
        y, a, b = truth[:, j], other[:, j], probabilities[:, j]
        variance = delong_covariance(a, a, y) + delong_covariance(b, b, y) - 2 * delong_covariance(a, b, y)
        apart = metrics.roc_auc_score(y, a) - metrics.roc_auc_score(y, b)
        label = result["labels"][f"l{j}"]
        p_values.append(2 * scipy.stats.norm.sf(abs(apart) / np.sqrt(variance)))
        hold("paired DeLong: difference", label["value"], apart)
        hold("paired DeLong: error", label["standard_error"], np.sqrt(variance))
        hold("paired DeLong: p", label["p"], p_values[-1])
    order, highest = np.argsort(p_values), 0
    for k, j in enumerate(order):
        highest = max(highest, min(1, (3 - k) * p_values[j]))
        hold("Holm", result["labels"][f"l{j}"]["p_holm"], highest)

    classes = random.integers(0, 3, rows)
    first, second = (scipy.special.softmax(random.normal(size=(rows, 3)) + np.eye(3)[classes], axis=1) for _ in range(2))
    table(folder / "one.csv", classes, first, classes=True)
    table(folder / "two.csv", classes, second, classes=True)
    result = run(compare, folder / "one.csv", folder / "two.csv")["differences"][0]["mcnemar"]
    right = (second.argmax(1) == classes, first.argmax(1) == classes)
    only = int(np.sum(right[0] & ~right[1])), int(np.sum(~right[0] & right[1]))
    hold("McNemar: exact", result["p_exact"], scipy.stats.binomtest(only[0], sum(only)).pvalue)
    hold("McNemar: corrected", result["p_corrected"], scipy.stats.chi2.sf(max(0, abs(only[0] - only[1]) - 1) ** 2 / sum(only), 1))


def check_bootstrap(evaluate, folder, random):
    """Intervals of two bootstraps differ by chance: of 2,000 resamples a bound has an error of 1.5 % of the width
    (the quantile's binomial one over the normal density), the difference of two 2.2 %; four of these are allowed."""
    truth = (random.random((250, 1)) < 0.3).astype(float)
    probabilities = scipy.special.expit(random.normal(size=(250, 1)) + 1.5 * truth)
    table(folder / "test.csv", truth, probabilities)

    def area(rows):
        y = truth[rows, 0]
        return metrics.roc_auc_score(y, probabilities[rows, 0]) if both_classes(y) else np.nan

    for flags, method in [([], "percentile"), (["--bca"], "BCa")]:
        ours = run(evaluate, folder / "test.csv", "--bootstrap", 2000, *flags)["auc_macro_bootstrap"]
        peer = scipy.stats.bootstrap((np.arange(250),), lambda rows: area(rows), vectorized=False, n_resamples=2000, method=method,
                                     rng=random).confidence_interval
        width = peer.high - peer.low
        hold(f"bootstrap {method}: low", ours["low"], peer.low, 0.09 * width)
        hold(f"bootstrap {method}: high", ours["high"], peer.high, 0.09 * width)


def main():
    programs = pathlib.Path(sys.argv[1])
    evaluate, compare = programs / "preceptor-evaluate", programs / "preceptor-compare"
    random = np.random.default_rng(2014)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for rows, levels in [(40, 0), (41, 5), (300, 0), (301, 20), (2000, 0), (2000, 100)]:
            check_findings(evaluate, folder, random, rows, levels)
        for rows, outputs in [(60, 2), (61, 3), (1000, 5)]:
            check_classes(evaluate, folder, random, rows, outputs)
        for rows in (60, 400):
            check_comparison(compare, folder, random, rows)
        check_bootstrap(evaluate, folder, random)
    for key, (apart, bound) in sorted(worst.items()):
        print(f"{key:28} largest difference {apart:.1e}, bound {bound:.1e}")


main()
