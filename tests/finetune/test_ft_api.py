"""Fine-tuning through the Python API: from a run to a student; interrupted, and resumed by the same call."""

import os
import signal

import pytest
from ft_training import metrics, write_data, write_student

import selfinstruct as si
from finetune.training.progress import Progress

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_student(tmp_path_factory.mktemp("model"))


SETTINGS = {"method": "full", "learning_rate": 2e-3, "epochs": 1}


def test_a_run_and_a_file_become_a_student_that_answers(model, tmp_path):
    run = si.generate(tmp_path / "run", 6, progress=False)
    numbers = write_data(tmp_path / "numbers.json", 20)
    student = si.finetune([run, numbers], model=model, out=tmp_path / "student", eval_share=0, max_steps=2, **SETTINGS)
    answer = student.chat("Say the number 7.", max_tokens=5)
    assert isinstance(answer, str)
    assert si.student(tmp_path / "student").chat("Say the number 7.", max_tokens=5) == answer
    text = (tmp_path / "student/finetune.toml").read_text()
    assert f'path = "{run.folder}"' in text
    assert f'path = "{numbers}"' in text
    assert metrics(tmp_path / "student")[-1]["step"] == 2


def test_ctrl_c_leaves_a_checkpoint_and_the_same_call_resumes(model, tmp_path, monkeypatch):
    data, out = write_data(tmp_path / "numbers.json"), tmp_path / "student"
    steps = []
    write = Progress.write

    def press_ctrl_c(progress, state, figures):
        write(progress, state, figures)
        if "loss" in figures:
            steps.append(state.global_step)
            if steps == [1, 2]:
                os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "write", press_ctrl_c)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"student has a checkpoint; the same call resumes the training\."):
        si.finetune(data, model=model, out=out, **SETTINGS)
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(steps) < 8
    assert list((out / "checkpoints").iterdir())
    with pytest.raises(si.UsageError, match="Training has not finished"):
        si.student(out)
    assert si.finetune(data, model=model, out=out, **SETTINGS).chat("Say the number 7.", max_tokens=3) is not None
    assert steps == list(range(1, 9)), "no update is made twice"


def test_what_is_wrong_is_said_before_a_training_is_begun(model, tmp_path):
    for wrong, says in (
        ({"epoch": 3}, "unknown key epoch; did you mean epochs?"),
        ({"model": tmp_path / "nothing"}, "nothing"),
        ({"out": ""}, "out is ''; it must be a path"),
    ):
        arguments = {"model": model, "out": tmp_path / "student", **wrong}
        with pytest.raises(si.UsageError) as error:
            si.finetune(write_data(tmp_path / "numbers.json"), **arguments)
        assert says in str(error.value)
    with pytest.raises(si.UsageError):
        si.student(tmp_path)
    assert not (tmp_path / "student").exists()
