"""ONNX: a graph's operations said in those of the ONNX standard, so that other programs score with a model.

`network` says a whole graph, `ops` has a line for each operation that a graph may use, `writer` holds what is written.
A test runs the result by onnxruntime beside the interpreter. Only what a model computes of encoded features is said:
how raw rows become features is Potluck's, and stands in the file as text.
"""
