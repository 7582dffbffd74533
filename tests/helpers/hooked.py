"""A model of ours in PyTorch while parts of it are changed."""

import torch

from model import GPT
from model.generation import eval_mode


class Changed:
    """`model` while it lasts, with hooks in PyTorch that silence and patch as Model.forward says."""

    def __init__(self, model: GPT, silence=(), patch=()):
        self.model, self.changes = model, [*silence, *patch]

    def __enter__(self):
        model, heads = self.model, self.model.config.n_head
        self.handles = []
        for change in self.changes:
            layer, part = change["layer"], change["part"]
            if part == "stream":
                module = model.blocks[layer] if layer < len(model.blocks) else model.ln_f
                hook = module.register_forward_pre_hook(self.before(change, slice(None)))
            elif part == heads:
                change_mlp = self.before(change, slice(None))
                hook = model.blocks[layer].mlp.register_forward_hook(lambda m, i, out, f=change_mlp: f(m, (out,))[0])
            else:
                D = model.config.n_embd // heads
                module = model.blocks[layer].attn.proj
                hook = module.register_forward_pre_hook(self.before(change, slice(part * D, (part + 1) * D)))
            self.handles.append(hook)
        return model

    def before(self, change, channels):
        def hook(_, args):
            x = args[0].clone()  # (B, T, C)
            if "position" in change:
                x[:, change["position"], channels] = torch.tensor(change["values"])
            else:
                mean = x[..., channels].mean(1, keepdim=True)
                x[..., channels] = mean if change["how"] == "mean" else 0.0
            return (x,)

        return hook

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


class TwoTexts:
    """The logits (T, V) of two texts of equal length, and of the second with what the first has at a place put in."""

    def __init__(self, model: GPT, first, second, silence=()):
        self.model, self.second, self.silence, self.layers = model, second, silence, []
        self.logits = [self.forward(first, record=self.layers), self.forward(second)]

    def forward(self, ids, patch=(), record=None):
        with Changed(self.model, self.silence, patch), eval_mode(self.model):
            return self.model(torch.tensor([ids]), record=record)[0][0]

    def values(self, layer, part, position):
        """What the first text has there: where it is switched off, nothing."""
        if part == "stream":
            last = self.layers[-1]
            streams = [*(one["stream"] for one in self.layers), last["stream"] + last["out"] + last["mlp"]]
            return streams[layer][0, position]
        recorded = self.layers[layer]
        heads = recorded["z"].shape[1]
        own = recorded["mlp"][0, position] if part == heads else recorded["z"][0, part, position]
        return own * all((layer, part) != (off["layer"], off["part"]) for off in self.silence)

    def patched(self, layer, part, positions):
        places = [{"layer": layer, "part": part, "position": position} for position in positions]
        return self.forward(
            self.second, [place | {"values": self.values(*place.values()).tolist()} for place in places]
        )
