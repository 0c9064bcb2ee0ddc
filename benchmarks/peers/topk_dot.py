"""Peers of topkDot: the k rows of largest dot product with each query, scores and rows."""

from peer import Unavailable


def typed_rows(parameters, inputs):
    """The rows as numpy has them; bf16 as its 16 bits."""
    import numpy

    types = {"fp32": numpy.float32, "fp16": numpy.float16, "bf16": numpy.uint16, "int8": numpy.int8}
    return inputs["rows"].numpy().view(types[parameters["type"]])


class Torch:
    """torch.mm and topk; in the rows' own type, or on rows widened in each call."""

    def __init__(self, parameters, inputs, widens, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, f"torch {torch.__version__}"
        self.k, self.widens = parameters["k"], widens
        rows = torch.from_numpy(typed_rows(parameters, inputs))
        self.rows = rows.view(torch.bfloat16) if parameters["type"] == "bf16" else rows
        queries = torch.from_numpy(inputs["queries"].numpy())
        self.queries = queries if widens else queries.to(self.rows.dtype)
        is_scaled = parameters["type"] == "int8"
        self.scales = torch.from_numpy(inputs["scales"].numpy()) if is_scaled else None
        self.result = None

    def run(self):
        rows = self.rows.float() if self.widens else self.rows
        scores = self.torch.mm(self.queries, rows.t())
        if self.scales is not None:
            scores *= self.scales
        self.result = self.torch.topk(scores, self.k)

    def outputs(self):
        return {"scores": self.result.values.float().contiguous().numpy()}


class Numpy:
    def __init__(self, parameters, inputs):
        import numpy

        self.numpy, self.version = numpy, f"numpy {numpy.__version__}"
        self.k, self.result = parameters["k"], None
        self.rows, self.queries = typed_rows(parameters, inputs), inputs["queries"].numpy()

    def run(self):
        numpy = self.numpy
        scores = self.queries @ self.rows.T
        best = numpy.argpartition(scores, -self.k, axis=1)[:, -self.k :]
        found = numpy.take_along_axis(scores, best, axis=1)
        order = numpy.argsort(-found, axis=1)
        self.result = (numpy.take_along_axis(found, order, axis=1), numpy.take_along_axis(best, order, axis=1))

    def outputs(self):
        return {"scores": self.numpy.ascontiguousarray(self.result[0])}


class Faiss:
    """Its flat index, which keeps the rows in their type."""

    def __init__(self, parameters, inputs, threads):
        import faiss
        import numpy

        faiss.omp_set_num_threads(threads)
        self.version = f"faiss {faiss.__version__}"
        self.k, self.result = parameters["k"], None
        self.queries = inputs["queries"].numpy()
        rows, dim = typed_rows(parameters, inputs), parameters["dim"]
        if parameters["type"] == "fp32":
            self.index = faiss.IndexFlatIP(dim)
        else:
            kinds = faiss.ScalarQuantizer
            kind = kinds.QT_fp16 if parameters["type"] == "fp16" else kinds.QT_bf16
            self.index = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
        if parameters["type"] == "bf16":
            rows = (rows.astype(numpy.uint32) << 16).view(numpy.float32)
        self.index.add(rows.astype(numpy.float32))

    def run(self):
        self.result = self.index.search(self.queries, self.k)

    def outputs(self):
        return {"scores": self.result[0]}


def open_peer(name, parameters, inputs, threads):
    if name in ("torch", "torch widening"):
        return Torch(parameters, inputs, name == "torch widening", threads)
    if name == "numpy":
        return Numpy(parameters, inputs)
    if name == "faiss":
        return Faiss(parameters, inputs, threads)
    raise Unavailable(f"there is no peer '{name}' of topkDot")
