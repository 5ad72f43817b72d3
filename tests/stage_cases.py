"""Tiny runs of each stage that cover its methods and settings: method, teachers and changes to the recipe."""

PRETRAIN = {
    "plain": ("sre2lpp", {}),
    "cal": ("sre2lpp_fd2", {}),
    "paper views, release rule": (
        "sre2lpp_fd2",
        {"pretrain.views": "paper", "pretrain.prototype_rule": "release", "pretrain.optimizer": "sgd"},
    ),
    "probed, random views": ("sre2lpp_fd2", {"pretrain.views": "random", "pretrain.head_gradient": "stopped"}),
    "jittered": ("sre2lpp_fd2", {"pretrain.jitter": 0.2, "pretrain.rotation": 15.0, "pretrain.precision": "bf16"}),
}
DISTILL = {
    "random": ("random", "plain", {}),
    "whole set": ("whole_set", "plain", {}),
    "rded": ("rded", "plain", {"ipc": 1}),
    "mosaics": ("sre2lpp", "plain", {"distill.start": "pool1", "distill.mosaics": "repeated"}),
    "sre2lpp": ("sre2lpp", "plain", {}),
    "sre2lpp_fd2": ("sre2lpp_fd2", "cal", {}),
    "fadrm": ("fadrm", "plain plain", {"distill.phases": "1@24 1@32", "distill.iterations": 4}),
    "fadrm_fd2": ("fadrm_fd2", "cal cal", {"distill.phases": "1@24 1@32", "distill.iterations": 4}),
    "characteristic only": ("sre2lpp_fd2", "cal", {"distill.similarity_weight": 0.0}),
    "similarity only": ("sre2lpp_fd2", "cal", {"distill.characteristic_weight": 0.0, "distill.group_size": 2}),
    "raw, cropped, replaced": (
        "sre2lpp_fd2",
        "cal",
        {
            "distill.prototype_norm": "raw",
            "distill.similarity_views": "cropped",
            "distill.base_cross_entropy": "replaced",
            "distill.precision": "bf16",
        },
    ),
    "no matching": ("sre2lpp_fd2", "cal", {"distill.bn_weight": 0.0}),
    "noise": ("sre2lpp_fd2", "cal", {"distill.start": "noise", "distill.chunk_classes": 2}),
}
RELABEL = {
    "batch": {},
    "evaluation": {"relabel.label_mode": "evaluation", "relabel.precision": "bf16"},
    "head": {"relabel.label_source": "head", "relabel.batch_size": 3},
}
