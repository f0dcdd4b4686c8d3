r"""Slow oracles of the objectives: plain loops over Python floats, exponentials
written as in the papers, no log space.

Vectors are named (view, graph). A case is only fit for these functions if its
exponentials neither overflow nor vanish, i.e. for temperatures above 0.1, say.
"""

import math


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def unit(vector):
    norm = math.sqrt(dot(vector, vector))
    return [x / norm for x in vector] if norm > 0 else [0.0 for _ in vector]


def all_pairs(z1, z2, mask, negatives, two_sided):
    r"""Returns the unit vectors by name, and (anchor, positive, negatives) of
    every anchor, all three as names.
    """
    views = (z1.tolist(), z2.tolist())
    size = len(views[0])
    vectors = {(v, i): unit(views[v][i]) for v in range(2) for i in range(size)}
    anchors = []
    for view in range(2 if two_sided else 1):
        for i in range(size):
            others = []
            for other_view in range(2):
                if negatives == "cross" and other_view == view:
                    continue
                for j in range(size):
                    if j != i and not (mask is not None and bool(mask[i, j])):
                        others.append((other_view, j))
            anchors.append(((view, i), (1 - view, i), others))
    return vectors, anchors


def mean_loss(
    z1,
    z2,
    mask,
    temperature,
    negatives,
    positive_in_denominator,
    two_sided,
    denominator,
):
    r"""Averages :math:`-\log (p / (p + G))`; `denominator(anchor, names of its
    negatives, p, [n_1, n_2, ...])` returns :math:`G`.
    """
    vectors, anchors = all_pairs(z1, z2, mask, negatives, two_sided)
    total = 0.0
    for anchor, positive, others in anchors:
        if not others:
            continue  # counts as zero
        p = math.exp(dot(vectors[anchor], vectors[positive]) / temperature)
        n = [math.exp(dot(vectors[anchor], vectors[k]) / temperature) for k in others]
        g = denominator(anchor, others, p, n)
        total += -math.log(p / (p + g) if positive_in_denominator else p / g)
    return total / len(anchors)


def reference_info_nce(
    z1, z2, mask, *, temperature, negatives, positive_in_denominator, two_sided
):
    return mean_loss(
        z1,
        z2,
        mask,
        temperature,
        negatives,
        positive_in_denominator,
        two_sided,
        lambda anchor, others, p, n: sum(n),
    )


def reference_debiased_info_nce(
    z1, z2, mask, *, temperature, tau, negatives, positive_in_denominator, two_sided
):
    def denominator(anchor, others, p, n):
        debiased = (-tau * len(n) * p + sum(n)) / (1 - tau)
        return max(debiased, len(n) * math.exp(-1 / temperature))

    return mean_loss(
        z1,
        z2,
        mask,
        temperature,
        negatives,
        positive_in_denominator,
        two_sided,
        denominator,
    )


def reference_hard_info_nce(
    z1,
    z2,
    mask,
    *,
    temperature,
    tau,
    beta,
    negatives,
    positive_in_denominator,
    two_sided,
):
    def denominator(anchor, others, p, n):
        importance = [x**beta for x in n]
        mean = sum(importance) / len(importance)
        hard = sum(w * x for w, x in zip(importance, n, strict=True)) / mean
        debiased = (-tau * len(n) * p + hard) / (1 - tau)
        return max(debiased, len(n) * math.exp(-1 / temperature))

    return mean_loss(
        z1,
        z2,
        mask,
        temperature,
        negatives,
        positive_in_denominator,
        two_sided,
        denominator,
    )


def reference_unremix(
    z1,
    z2,
    mask,
    *,
    temperature,
    weights,
    negatives,
    positive_in_denominator,
    two_sided,
):
    w = reference_unremix_weights(z1, z2, mask, temperature, weights, negatives)

    def denominator(anchor, others, p, n):
        share = [w[anchor, k] for k in others]
        weighted = sum(s * x for s, x in zip(share, n, strict=True))
        return len(n) * weighted / sum(share)

    return mean_loss(
        z1,
        z2,
        mask,
        temperature,
        negatives,
        positive_in_denominator,
        two_sided,
        denominator,
    )


def reference_unremix_weights(z1, z2, mask, temperature, weights, negatives):
    r"""Returns the weight of each (anchor, negative)."""
    vectors, anchors = all_pairs(z1, z2, mask, negatives, two_sided=True)

    gradients = {}  # of the last layer, one row per graph of the batch
    for anchor, positive, others in anchors:
        n = {
            k: math.exp(dot(vectors[anchor], vectors[k]) / temperature)
            for k in [positive, *others]
        }
        probability = [0.0] * z1.size(0)
        for (view, graph), value in n.items():
            assert (view, graph) != anchor
            probability[graph] += value / sum(n.values())
        pseudo_label = max(range(len(probability)), key=probability.__getitem__)
        gradients[anchor] = [
            [(p - (k == pseudo_label)) * x for x in vectors[anchor]]
            for k, p in enumerate(probability)
        ]

    out = {}
    for anchor, _, others in anchors:
        similarity = [dot(vectors[anchor], vectors[j]) for j in others]
        uncertainty = [
            sum(dot(a, b) for a, b in zip(gradients[anchor], gradients[j], strict=True))
            for j in others
        ]
        representativeness = []
        for j in others:
            distances = [1 - dot(vectors[j], vectors[k]) for k in others if k != j]
            representativeness.append(sum(distances) / max(len(distances), 1))
        scaled = [
            min_max(score) for score in (similarity, uncertainty, representativeness)
        ]
        for index, j in enumerate(others):
            out[anchor, j] = sum(
                share * score[index]
                for share, score in zip(weights, scaled, strict=True)
            )
    return out


def min_max(scores):
    if not scores or max(scores) - min(scores) < 1e-5:
        return [1.0 for _ in scores]
    return [(s - min(scores)) / (max(scores) - min(scores)) for s in scores]


def reference_jsd(node1, node2, graph1, graph2, batch, mask=None):
    def softplus(x):
        return max(x, 0.0) + math.log1p(math.exp(-abs(x)))

    loss = 0.0
    for nodes, graphs in ((node1, graph2), (node2, graph1)):
        positive, negative = [], []
        for v, own in enumerate(batch.tolist()):
            for g in range(graphs.size(0)):
                score = dot(nodes[v].tolist(), graphs[g].tolist())
                if g == own:
                    positive.append(math.log(2) - softplus(-score))
                elif mask is None or not bool(mask[own, g]):
                    negative.append(softplus(-score) + score - math.log(2))
        loss -= sum(positive) / len(positive)
        loss += sum(negative) / len(negative) if negative else 0.0
    return loss
