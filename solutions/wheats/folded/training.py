import operator
from functools import reduce
from itertools import product


def early_stopping(val_losses, min_delta, patience):
    def step(state, item):
        (done, best, at), (epoch, loss) = state, item
        if done:
            return state
        best, at = (loss, epoch) if loss < best - min_delta else (best, at)
        return (epoch if epoch - at >= patience else 0), best, at

    done, _, at = reduce(step, enumerate(val_losses, 1), (0, val_losses[0], 1))
    return Stop(done or len(val_losses), at)


def sweep(make_model, make_data, train, evaluate, *, epoch_limits, batch_sizes):
    def one(limit, size):
        model, (train_data, val_data) = make_model(), make_data(size)
        history = train(model, train_data, val_data, epochs=limit)
        return Setting(size, limit, len(history["val_loss"]), history["accuracy"][-1], evaluate(model, val_data))

    return [one(*pair) for pair in product(epoch_limits, batch_sizes)]


def epochs_needed(val_accuracies, tolerance):
    return 1 + list(map(operator.ge, val_accuracies, [max(val_accuracies) - tolerance] * len(val_accuracies))).index(True)
