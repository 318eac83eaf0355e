"""Language models on a Sophgo TPU: bmodels with one net a layer, driven launch by launch."""
