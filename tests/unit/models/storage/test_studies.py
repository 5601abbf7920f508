"""What the storage pages show of a scenario, and the facts that they state."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.fact import index_facts
from gpudeck.models import storage
from gpudeck.scenario import read_scenario


@dataclass(frozen=True)
class Studies:
    """A scenario's file system, its metadata, and a node's paths."""

    id: str
    files: storage.FileSystemStudy
    metadata: storage.MetadataStudy
    paths: storage.IoStudy
    model: str


@pytest.fixture(scope="module", params=["default", "small"])
def studies(request) -> Studies:
    scenario = read_scenario(request.param)
    nodes = scenario.training.gpus // scenario.training.gpus_per_node
    return Studies(
        scenario.id,
        storage.study_file_system(scenario.storage, nodes),
        storage.study_metadata(scenario.storage, nodes),
        storage.study_paths(scenario.storage, scenario.training.gpus_per_node),
        scenario.training.model,
    )


def test_the_knee_is_the_first_number_of_clients_that_gets_everything(studies: Studies) -> None:
    files = studies.files
    for name, stripe in (("knee_clients", files.stripe_count), ("enough_clients", -1)):
        count = getattr(files, name)
        whole = files.read.gb_s if name == "knee_clients" else None
        own = storage.read_bandwidth(files.lustre, count, files.stripe_count).gb_s
        assert own == pytest.approx(
            whole or storage.read_bandwidth(files.lustre, count, stripe).gb_s
        )
        if count > 1:
            before = storage.read_bandwidth(files.lustre, count - 1, files.stripe_count).gb_s
            goal = whole or storage.read_bandwidth(files.lustre, count - 1, stripe).gb_s
            assert before < goal


def test_curves_are_single_answers(studies: Studies) -> None:
    files, metadata = studies.files, studies.metadata
    assert files.one_read[files.stripe_count - 1] == files.one.gb_s
    assert files.many[files.stripe_count][-1] == files.read.gb_s
    here = metadata.lustre.mdt_count - 1
    rate = storage.metadata_rate(metadata.lustre, metadata.clients, metadata.threads_per_client)
    assert metadata.striped[here] == rate.per_s
    assert (np.diff(metadata.gb_s) >= -1e-9).all()
    assert metadata.gb_s[-1] == pytest.approx(metadata.data_gb_s)


def test_facts_repeat_the_studies(studies: Studies) -> None:
    facts = index_facts(storage.report_file_system(studies.files))
    assert facts["aggregate"].value == studies.files.read.gb_s
    assert facts["clients"].value == studies.files.clients
    facts = index_facts(storage.report_metadata(studies.metadata, studies.id))
    assert facts["small_share"].value == pytest.approx(
        100 * studies.metadata.small_gb_s / studies.metadata.data_gb_s
    )
    facts = index_facts(storage.report_paths(studies.paths, studies.id))
    saved = facts["cores_bounce"].value - facts["cores_direct"].value
    assert facts["cores_saved"].value == pytest.approx(saved)
    assert saved > 0
    facts = index_facts(storage.report_cpu(studies.paths, studies.id))
    assert facts["forum_direct"].value > facts["forum_bounce"].value
    facts = index_facts(storage.report_remote(studies.paths))
    assert facts["tcp_low"].value < facts["tcp_high"].value


def test_checkpoints_are_of_mlperf_models_and_the_scenarios_own(studies: Studies) -> None:
    saved = storage.study_checkpoints(studies.files, studies.model)
    assert [round(model.published_gib) for model in saved] == [105, 912, 5290]
    for model in saved:
        assert model.gib == pytest.approx(model.published_gib, rel=0.01)
    more = storage.study_checkpoints(studies.files, "llama-2-7b")
    assert (len(more), more[-1].published_gib) == (4, 0)
    facts = index_facts(storage.report_checkpoints(studies.files, studies.model, studies.id))
    assert facts["save"].value > 0


def test_measured_facts_of_copies_and_of_the_guide() -> None:
    facts = index_facts(storage.report_copies(storage.read_measured_copies()))
    assert facts["copy_ratio"].value == pytest.approx(155.88 / 2.026)
    facts = index_facts(storage.report_misprints(storage.audit_guide()))
    assert (facts["printed"].value, facts["misprints"].value) == (194, 5)
    facts = index_facts(storage.report_machine())
    assert facts["combined_computed"].value == pytest.approx(16 * 3.4 + 8 * 12.5 + 50)


def test_studies_refuse_no_client_and_no_request() -> None:
    system = read_scenario("small").storage
    with pytest.raises(InputError, match="clients is 0"):
        storage.study_file_system(system, 0)
    with pytest.raises(InputError, match="clients is 0"):
        storage.study_metadata(system, 0)
    with pytest.raises(InputError, match="in_flight is 0"):
        storage.study_paths(system, 0)
