"""A model in other forms: as a graph, as a file of ONNX, as an estimator of scikit-learn."""
