"""An exported dataset and its card to the Hugging Face Hub, as a private dataset, in one commit.

Only the two files go there, never the run. huggingface_hub finds the token (HF_TOKEN, or what `hf auth login` has kept)
and the server (HF_ENDPOINT), and chooses how large files are sent.
"""

from collections.abc import Sequence
from pathlib import Path

from selfinstruct import __version__
from selfinstruct.errors import UsageError


def check_push(repository: str) -> str:
    """The user's token, so that a push can be begun; UsageError if one could not."""
    try:
        from huggingface_hub import get_token
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # not in its list of names
    except ImportError:
        raise UsageError(
            "--push needs huggingface_hub. Install it: pip install 'selfinstruct[finetune]', or pip install "
            "huggingface_hub."
        ) from None
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise UsageError(f"--push: {error}") from None
    if "/" not in repository:
        raise UsageError(
            f"--push takes NAME/REPO, the owner and the name of the dataset, such as your-name/{repository}."
        )
    token = get_token()
    if not token:
        raise UsageError("--push needs a Hugging Face token with write access. Set HF_TOKEN, or run hf auth login.")
    return token


def push(files: Sequence[Path], repository: str, token: str) -> str:
    """Send the files, and give the dataset's address. It is made private where it is not there yet.

    UsageError if the hub cannot be reached or refuses; the files stay where they are.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the HTTP client that it has

    api = HfApi(token=token, library_name="selfinstruct", library_version=__version__)
    try:
        address = api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)
        api.create_commit(
            repository,
            [CommitOperationAdd(file.name, file) for file in files],
            repo_type="dataset",
            commit_message=f"Export of selfinstruct {__version__}",
        )
    except (HTTPError, OSError, ValueError) as error:
        why = str(error).replace(token, "***").strip()
        raise UsageError(
            f"The hub refused {repository}: {why}\nCheck that the token may write there, then run the same "
            "command again. The local files are complete."
        ) from None
    return str(address)
