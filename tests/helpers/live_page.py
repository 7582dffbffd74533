"""A model run by the page's own script, in a browser."""

import torch

from lens.explorer.one_file import PAGE, bundle
from lens.explorer.weights import config_of, pack_step

# Makes the model; plain(value) is a value of the page with lists for its typed arrays, as a test can read it.
SETUP = """async ({ config, step }) => {
  window.step = step;
  window.model = new forward.Model(config, await weights.readWeights(step));
  window.plain = (value) => ArrayBuffer.isView(value) ? Array.from(value)
    : Array.isArray(value) ? value.map(plain)
    : typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
    : value;
}"""


def module(name):
    """A script that puts what a module of live/ exports into the constant of its name."""
    return f"var {name} = (() => {{{bundle(PAGE, f'live/{name}.js')}return live_{name}Module; }})();"


class LiveModel:
    """A model of ours in a tab, in one of the formats of the page; `model` gets the weights of that format, too."""

    def __init__(self, tab, model, format="float32"):
        self.tab, self.model = tab, model
        tab.goto("about:blank")
        for name in ("forward", "weights"):
            tab.add_script_tag(content=module(name))
        tab.evaluate(SETUP, {"config": config_of(model), "step": pack_step(model, format, [])})

    def forward(self, ids, **options):
        """What Model.forward returns: the logits (T, V), and the layers, flat lists by name."""
        script = "([ids, options]) => plain(model.forward(ids, options))"
        result = self.tab.evaluate(script, [ids, options])
        return torch.tensor(result["logits"]).view(-1, self.model.config.vocab_size), result["layers"]
