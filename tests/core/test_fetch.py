"""Fetching a data set: whole files under their names or nothing, going on where it was, sentences for what can fail."""

from __future__ import annotations

import csv
import dataclasses
import errno
import hashlib
import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import gr2st
from gr2st import keys
from gr2st.dataset_specs import HER2ST, DatasetSpec
from gr2st.errors import DataError, StorageError, UnknownName
from gr2st.io import fetch as room
from gr2st.io import remote
from gr2st.io.fetch import fetch, known_files, verify
from gr2st.registry import DATASETS
from gr2st.types import finish
from tests.file_server import FileServer, serving

SAMPLE = gr2st.sample_study_path()
SECTIONS = ("A1", "B1")
PICTURE = "data/ST-imgs/{patient}/{name}/{name}_HE.jpg"


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as state:
        yield state


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_name(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def published() -> dict[str, tuple[str, bytes]]:
    """Path to section and content: two sections of the sample study, laid out as HER2ST is."""
    found = {}
    for name in SECTIONS:
        counts, spots = f"ST-cnts/{name}.tsv.gz", f"ST-spotfiles/{name}_selection.tsv"
        picture = next(SAMPLE.glob(f"ST-imgs/*/{name}/*.jpg"))
        found[f"data/{counts}"] = name, (SAMPLE / counts).read_bytes()
        found[f"data/{spots}"] = name, (SAMPLE / spots).read_bytes()
        found[PICTURE.format(patient=name[0], name=name)] = name, picture.read_bytes()
    return found


@pytest.fixture
def spec(server: FileServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> DatasetSpec:
    """A data set on the server; all is known of A1, of B1 neither the picture nor any hash."""
    content = published()
    server.files |= {f"/{path}": body for path, (_, body) in content.items()}
    tree = [{"type": "tree", "path": "data", "sha": "0" * 40}]
    tree += [
        {"type": "blob", "path": path, "sha": git_name(body), "size": len(body)} for path, (_, body) in content.items()
    ]
    server.files["/tree"] = json.dumps({"tree": tree, "truncated": False}).encode()
    lines = ["path\tsection\tbytes\tsha256"]
    for path, (section, body) in content.items():
        if section == "A1":
            lines.append(f"{path}\t{section}\t{len(body)}\t{sha256(body)}")
        elif not path.endswith(".jpg"):
            lines.append(f"{path}\t{section}\t\t")
    package = tmp_path_factory.mktemp("package")
    (package / "two.tsv").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(room, "files", lambda _: package)
    return dataclasses.replace(
        HER2ST, name="two", files="two.tsv", base=server.url, listing=f"{server.url}tree", elsewhere="Look elsewhere"
    )


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def record_of(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / keys.FETCHED).open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}


COUNTS = "data/ST-cnts/A1.tsv.gz"


# ---------------------------------------------------------------------------------------------------- what arrives


def test_what_was_fetched_is_a_study_at_once(spec, tmp_path):
    fetched = finish(fetch(spec, tmp_path / "study"))
    study = gr2st.read_study(tmp_path / "study")
    assert [(entry.name, entry.patient, entry.without_image) for entry in study.entries] == [
        ("A1", "A", ""),
        ("B1", "B", ""),
    ]
    assert (
        gr2st.read_section(study.entry("B1")).n_spots
        == gr2st.read_section(gr2st.read_study(SAMPLE).entry("B1")).n_spots
    )
    assert (fetched.sections, fetched.n_files, fetched.notes) == (SECTIONS, 6, ())
    assert fetched.n_bytes == fetched.new_bytes == sum(len(body) for _, body in published().values())


def test_every_file_is_as_published_and_recorded_with_its_hash_and_address(spec, server, tmp_path):
    finish(fetch(spec, tmp_path / "study"))
    assert files_in(tmp_path / "study") == {*published(), keys.FETCHED}
    record = record_of(tmp_path / "study")
    for path, (section, body) in published().items():
        assert (tmp_path / "study" / path).read_bytes() == body
        assert record[path] == {
            "path": path,
            "section": section,
            "bytes": str(len(body)),
            "sha256": sha256(body),
            "url": server.url + path,
        }


def test_only_the_named_sections_come_and_nothing_is_asked_that_is_known(spec, server, tmp_path):
    fetched = finish(fetch(spec, tmp_path, ["A1"]))
    assert fetched.sections == ("A1",)
    assert all("A1" in path for path in server.paths())


def test_what_is_here_is_not_fetched_again(spec, server, tmp_path):
    finish(fetch(spec, tmp_path))
    server.asked.clear()
    again = finish(fetch(spec, tmp_path))
    assert server.asked == []
    assert (again.new_bytes, again.n_files) == (0, 6)


def test_progress_counts_the_bytes_of_all_files(spec, tmp_path):
    said = [step for step in fetch(spec, tmp_path, ["A1"]) if step.stage == "Fetching two" and step.total]
    total = sum(len(body) for section, body in published().values() if section == "A1")
    assert {step.total for step in said} == {total}
    assert [step.done for step in said] == sorted(step.done for step in said)
    assert said[-1].done == total


def test_a_picture_that_is_nowhere_is_told_with_where_to_get_it(spec, server, tmp_path):
    path = PICTURE.format(patient="B", name="B1")
    tree = json.loads(server.files["/tree"])
    tree["tree"] = [entry for entry in tree["tree"] if entry["path"] != path]
    server.files["/tree"] = json.dumps(tree).encode()
    fetched = finish(fetch(spec, tmp_path))
    assert fetched.notes == ("two has no picture of B1 there. Look elsewhere.",)
    assert path not in files_in(tmp_path)


# ------------------------------------------------------------------------------------------------ stopped, and again


@pytest.fixture
def broken(server, monkeypatch) -> FileServer:
    """A server that breaks off in the middle of the counts; what it sent arrives in small blocks, and nobody waits."""
    monkeypatch.setattr(remote, "_BLOCK", 100)
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0, 0.0))
    server.dies_after[f"/{COUNTS}"] = 1000
    return server


def test_a_connection_that_breaks_off_is_made_again_and_goes_on_where_it_was(spec, broken, tmp_path):
    broken.deaths = 2
    said = [step.note for step in fetch(spec, tmp_path, ["A1"]) if "asking again" in step.note]
    assert said == [f"{COUNTS} (the connection broke off: asking again in 0 s)"] * 2
    starts = [int(asked.removeprefix("bytes=").split("-")[0]) for path, asked in broken.asked if path == f"/{COUNTS}"]
    assert starts == sorted(set(starts)), "each from what was there"
    assert len(starts) == 3
    assert (tmp_path / COUNTS).read_bytes() == published()[COUNTS][1]


def test_a_cancel_is_heard_while_the_next_try_is_waited_for(spec, broken, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "WAITS_S", (60.0,))
    steps = fetch(spec, tmp_path, ["A1"])
    waiting = next(step for step in steps if "asking again in 60 s" in step.note)
    assert next(steps) == waiting
    steps.close()
    assert files_in(tmp_path) == {"data/ST-cnts/.A1.tsv.gz.part"}


def test_a_server_at_a_loss_is_asked_again_and_one_that_says_no_is_not(spec, server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "WAITS_S", (0.0, 0.0))
    for status, times in ((503, 3), (404, 1)):
        server.asked.clear()
        server.status[f"/{COUNTS}"] = status
        with pytest.raises(DataError):
            finish(fetch(spec, tmp_path, ["A1"]))
        assert server.paths().count(f"/{COUNTS}") == times


def test_a_broken_download_goes_on_where_it_was(spec, broken, tmp_path, monkeypatch):
    server = broken
    monkeypatch.setattr(remote, "WAITS_S", ())
    with pytest.raises(DataError, match=r"could not be fetched: the connection broke off.*goes on where it was"):
        finish(fetch(spec, tmp_path, ["A1"]))
    assert not (tmp_path / COUNTS).exists()
    part = tmp_path / "data/ST-cnts/.A1.tsv.gz.part"
    have = part.stat().st_size
    assert 0 < have <= 1000
    server.asked.clear()
    finish(fetch(spec, tmp_path, ["A1"]))
    assert server.asked[0] == (f"/{COUNTS}", f"bytes={have}-{len(published()[COUNTS][1]) - 1}")
    assert (tmp_path / COUNTS).read_bytes() == published()[COUNTS][1]
    assert not part.exists()


def test_a_server_without_ranges_sends_the_file_from_its_start(spec, broken, tmp_path):
    broken.knows_ranges = False
    broken.deaths = 5
    with pytest.raises(DataError, match="broke off, 4 times in a row"):
        finish(fetch(spec, tmp_path, ["A1"]))
    finish(fetch(spec, tmp_path, ["A1"]))
    assert (tmp_path / COUNTS).read_bytes() == published()[COUNTS][1]


def test_a_large_file_comes_in_pieces_with_progress_after_each(spec, server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PIECE", 5000)
    n_bytes = len(published()[COUNTS][1])
    n_pieces = -(-n_bytes // 5000)
    assert n_pieces > 1
    said = list(fetch(spec, tmp_path, ["A1"]))
    assert server.paths().count(f"/{COUNTS}") == n_pieces
    assert sum(step.note == COUNTS for step in said) == n_pieces
    assert (tmp_path / COUNTS).read_bytes() == published()[COUNTS][1]


def test_a_cancel_leaves_no_half_file_under_its_name_and_the_rest_comes_later(spec, server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PIECE", 5000)
    steps = fetch(spec, tmp_path, ["A1"])
    assert next(step for step in steps if step.note == COUNTS).done == 5000
    steps.close()
    assert files_in(tmp_path) == {"data/ST-cnts/.A1.tsv.gz.part"}
    server.asked.clear()
    finish(fetch(spec, tmp_path, ["A1"]))
    assert server.asked[0][1].startswith("bytes=5000-")


def test_a_half_file_that_is_longer_than_the_file_starts_anew(spec, tmp_path):
    part = tmp_path / "data/ST-cnts/.A1.tsv.gz.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (len(published()[COUNTS][1]) + 1))
    finish(fetch(spec, tmp_path, ["A1"]))
    assert (tmp_path / COUNTS).read_bytes() == published()[COUNTS][1]


# ------------------------------------------------------------------------------------------------------ what can fail


def test_a_file_with_another_hash_is_thrown_away_and_told_with_both(spec, server, tmp_path):
    body = published()[COUNTS][1]
    server.files[f"/{COUNTS}"] = body[:-1] + b"?"
    wanted, found = f"sha256:{sha256(body)}", f"sha256:{sha256(body[:-1] + b'?')}"
    with pytest.raises(DataError) as caught:
        finish(fetch(spec, tmp_path / "study", ["A1"]))
    assert all(words in str(caught.value) for words in (COUNTS, wanted, found, "thrown away", "Try again"))
    assert not (tmp_path / "study").exists()


def test_where_no_sha256_is_known_gits_own_hash_decides(spec, server, tmp_path):
    path = "data/ST-cnts/B1.tsv.gz"
    body = server.files[f"/{path}"]
    server.files[f"/{path}"] = body[:-1] + b"?"
    with pytest.raises(DataError, match=f"wanted git:{git_name(body)}"):
        finish(fetch(spec, tmp_path, ["B1"]))


def test_a_file_that_is_shorter_than_published_ends_in_a_sentence(spec, server, tmp_path):
    server.files[f"/{COUNTS}"] = published()[COUNTS][1][:500]
    with pytest.raises(DataError, match="answered .* with 416"):
        finish(fetch(spec, tmp_path, ["A1"]))
    server.knows_ranges = False
    with pytest.raises(DataError, match=r"ends after 500 bytes, \d+ were published"):
        finish(fetch(spec, tmp_path, ["A1"]))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "does not exist (404)"),
        (429, "refuses"),
        (403, "again in an hour"),
        (503, "with 503 Service Unavailable. Try again later"),
    ],
)
def test_each_refusal_of_a_server_has_its_sentence(spec, server, tmp_path, status, words, monkeypatch):
    monkeypatch.setattr(remote, "WAITS_S", ())
    server.status[f"/{COUNTS}"] = status
    with pytest.raises(DataError, match=re.escape(words)) as caught:
        finish(fetch(spec, tmp_path / "study", ["A1"]))
    assert COUNTS in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_without_a_network_the_sentence_says_what_to_do_and_nothing_is_left(spec, tmp_path):
    nobody = dataclasses.replace(spec, base="http://127.0.0.1:9/", listing="http://127.0.0.1:9/tree")
    for sections in (["A1"], ["B1"]):
        with pytest.raises(DataError, match=r"server could not be reached.*see that there is a network"):
            finish(fetch(nobody, tmp_path / "study", sections))
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"message": "Not Found"}', b'{"tree": [{"type": "blob"}]}'])
def test_a_listing_that_is_none_is_told(spec, server, tmp_path, answer):
    server.files["/tree"] = answer
    with pytest.raises(DataError, match="did not answer with a list of files"):
        finish(fetch(spec, tmp_path))


def test_half_a_listing_is_not_taken_for_a_whole_one(spec, server, tmp_path):
    server.files["/tree"] = json.dumps(json.loads(server.files["/tree"]) | {"truncated": True}).encode()
    with pytest.raises(DataError, match="told only part of its files"):
        finish(fetch(spec, tmp_path))


def test_a_known_path_that_the_listing_lacks_is_told(spec, server, tmp_path):
    server.files["/tree"] = b'{"tree": []}'
    with pytest.raises(DataError, match=r"does not list data/ST-cnts/B1\.tsv\.gz, data/ST-spotfiles/B1_selection\.tsv"):
        finish(fetch(spec, tmp_path))


def test_another_file_under_a_name_of_the_data_set_is_never_overwritten(spec, server, tmp_path):
    path = tmp_path / COUNTS
    path.parent.mkdir(parents=True)
    path.write_bytes(b"mine")
    with pytest.raises(DataError, match=r"1 file in .* is not as published.*Nothing was changed") as caught:
        finish(fetch(spec, tmp_path, ["A1"]))
    assert sha256(b"mine") in str(caught.value)
    assert path.read_bytes() == b"mine"
    assert server.asked == []


def test_a_full_disk_is_told_before_anything_is_fetched(spec, server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"MB are still to come, 0 MB are free"):
        finish(fetch(spec, tmp_path / "study", ["A1"]))
    assert server.asked == []


def test_a_disk_that_fills_up_meanwhile_is_told(spec, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(remote, "_append", full)
    with pytest.raises(StorageError, match=r"A1\.tsv\.gz could not be written: No space left on device"):
        finish(fetch(spec, tmp_path / "study", ["A1"]))
    assert not (tmp_path / "study").exists()


def test_a_folder_that_cannot_be_made_is_told(spec, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"could not be written: .*choose another folder"):
        finish(fetch(spec, tmp_path / "file" / "study", ["A1"]))


def test_unknown_names_offer_the_nearest(spec, tmp_path):
    with pytest.raises(UnknownName, match="No data set is called 'her2'. Did you mean 'her2st'"):
        DATASETS["her2"]
    with pytest.raises(UnknownName, match="No section of two is called 'A2'. Known: A1, B1"):
        finish(fetch(spec, tmp_path, ["A2"]))


# ------------------------------------------------------------------------------------------------------------- verify


def test_verifying_asks_nobody_and_knows_what_was_recorded(spec, server, tmp_path):
    finish(fetch(spec, tmp_path))
    server.asked.clear()
    verified = finish(verify(spec, tmp_path))
    assert (verified.sections, verified.n_files, verified.notes) == (SECTIONS, 6, ())
    assert server.asked == []


def test_verifying_names_every_file_that_is_damaged_or_missing(spec, tmp_path):
    finish(fetch(spec, tmp_path))
    spots = tmp_path / "data/ST-spotfiles/B1_selection.tsv"
    before = spots.read_bytes()
    spots.write_bytes(before + b"\n")
    with pytest.raises(DataError, match=r"not as published: .*B1_selection\.tsv"):
        finish(verify(spec, tmp_path))
    spots.write_bytes(before)
    (tmp_path / COUNTS).unlink()
    with pytest.raises(DataError, match=r"lacks 1 file of two: data/ST-cnts/A1\.tsv\.gz"):
        finish(verify(spec, tmp_path))
    assert finish(verify(spec, tmp_path, ["B1"])).sections == ("B1",)


def test_verifying_says_what_it_cannot_know(spec, tmp_path):
    finish(fetch(spec, tmp_path))
    (tmp_path / keys.FETCHED).unlink()
    notes = finish(verify(spec, tmp_path)).notes
    assert "hash is not known here: data/ST-cnts/B1.tsv.gz" in notes[0]
    assert "picture is not known here: B1" in notes[1]


def test_a_damaged_record_and_an_empty_folder_are_told(spec, tmp_path):
    with pytest.raises(DataError, match="holds no file of two"):
        finish(verify(spec, tmp_path))
    (tmp_path / keys.FETCHED).write_text("path\tbytes\nx\tmany\n")
    with pytest.raises(DataError, match=r"fetched\.tsv is damaged.*Remove it"):
        finish(verify(spec, tmp_path))


# -------------------------------------------------------------------------------------------- the data sets, the command


@pytest.mark.parametrize("spec", DATASETS.values(), ids=lambda spec: spec.name)
def test_the_table_of_a_data_set_is_sound(spec, tmp_path):
    known = known_files(spec, tmp_path)
    paths = [file.path for file in known]
    assert len(set(paths)) == len(paths)
    assert not [path for path in paths if path.startswith("/") or ".." in path]
    for file in known:
        assert bool(file.n_bytes) == bool(file.digest)
        assert not file.digest or re.fullmatch(r"sha256:[0-9a-f]{64}", file.digest)
    assert spec.listing or all(file.digest for file in known)
    assert all(address.startswith("https://") for address in (spec.base, *filter(None, [spec.listing])))


def test_her2st_has_counts_and_spots_of_36_sections_of_8_patients(tmp_path):
    known = known_files(HER2ST, tmp_path)
    assert len({file.section for file in known}) == 36
    assert {file.section[0] for file in known} == set("ABCDEFGH")
    for room_name in ("ST-cnts", "ST-spotfiles"):
        assert len({file.section for file in known if room_name in file.path}) == 36
    complete = {file.section for file in known if re.fullmatch(HER2ST.pictures, file.path) and file.digest}
    assert {"C2", "C3", "C4"} <= complete


@pytest.fixture
def registered(spec, monkeypatch):
    monkeypatch.setitem(DATASETS._entries, spec.name, spec)


def test_the_command_fetches_and_names_licence_citation_and_the_next_step(registered, command, tmp_path):
    code, told = command("fetch", "two", "--out", tmp_path / "study", "--sections", "A1")
    assert code == 0, told
    assert "two: 1 section, 3 files" in told
    assert "Licence: CC BY 4.0" in told
    assert "Please cite: Andersson et al." in told
    assert f"Next: gr2st inspect {tmp_path / 'study'}" in told
    code, told = command("fetch", "two", "--out", tmp_path / "study", "--verify-only")
    assert code == 0, told
    assert "as published" in told


def test_the_command_lists_without_a_network_and_says_what_is_not_known(registered, server, command, tmp_path):
    code, told = command("fetch", "two", "--out", tmp_path, "--list")
    assert code == 0
    assert "B1  data/ST-cnts/B1.tsv.gz  size not known  hash not known" in told
    assert f"A1  {COUNTS}  {len(published()[COUNTS][1])} bytes  sha256:" in told
    assert server.asked == []
    code, told = command("fetch", "two", "--out", tmp_path, "--list", "--sections", "A2")
    assert (code, "No section of two is called 'A2'" in told) == (2, True)


def test_an_interrupt_keeps_what_is_here(registered, server, command, tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "PIECE", 5000)
    original = remote._append

    def interrupted(*arguments: object) -> None:
        original(*arguments)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(remote, "_append", interrupted)
    code, told = command("fetch", "two", "--out", tmp_path / "study", "--sections", "A1")
    assert code == 130
    assert "Stopped." in told
    assert files_in(tmp_path / "study") == {"data/ST-cnts/.A1.tsv.gz.part"}
