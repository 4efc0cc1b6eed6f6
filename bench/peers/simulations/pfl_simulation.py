"""pfl-research's own simulation of FedAvg: seconds of each round as JSON, last. Run by `peers.simulators`."""

import json
import sys
import time

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import NNAlgorithmParams
from pfl.algorithm.federated_averaging import FederatedAveraging
from pfl.callback.base import TrainingProcessCallback
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam.base import NNEvalHyperParams, NNTrainHyperParams
from pfl.metrics import Metrics
from pfl.model.pytorch import PyTorchModel

file, cohort, rounds, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
held = np.load(file)
x, y = torch.from_numpy(held["x"]), torch.from_numpy(held["y"])
clients, rows = y.shape


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(x.shape[2], 32), torch.nn.Linear(32, 10)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(features)))

    def loss(self, features: torch.Tensor, target: torch.Tensor, eval: bool = False) -> torch.Tensor:
        self.train(not eval)
        return torch.nn.functional.cross_entropy(self(features), target)

    def metrics(self, features: torch.Tensor, target: torch.Tensor, eval: bool = True) -> dict[str, float]:
        return {}


class Clock(TrainingProcessCallback):
    def __init__(self) -> None:
        self.at = [time.perf_counter()]

    def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
        self.at.append(time.perf_counter())
        return False, Metrics()


def dataset(user: int) -> Dataset:
    return Dataset(raw_data=[x[user], y[user]], user_id=str(user))


torch.manual_seed(0)
net = Net()
model = PyTorchModel(net, torch.optim.SGD, central_optimizer=torch.optim.SGD(net.parameters(), lr=1.0))
data = FederatedDataset(dataset, get_user_sampler("random", list(range(clients))))
clock = Clock()
clock.at = [time.perf_counter()]
FederatedAveraging().run(
    algorithm_params=NNAlgorithmParams(
        central_num_iterations=rounds, evaluation_frequency=10**6, train_cohort_size=cohort, val_cohort_size=0
    ),
    backend=SimulatedBackend(training_data=data, val_data=data, postprocessors=[]),
    model=model,
    model_train_params=NNTrainHyperParams(local_num_epochs=1, local_learning_rate=rate, local_batch_size=rows),
    model_eval_params=NNEvalHyperParams(local_batch_size=rows),
    callbacks=[clock],
)
print(json.dumps(np.diff(clock.at).tolist()))
