"""What an administrator deploys in our place: is it what set-up would make, and is what is missing named?"""

from __future__ import annotations

from xml.etree import ElementTree

from connectors import settings_model
from connectors.contract import FieldSpec, ListSpec, Option
from connectors.salesforce import export

FIELD = FieldSpec(
    "seg_rfm", label="Buying habits", options=(Option("champions", "Champions"), Option("lost", "Lost"))
)
LONG = "Customers of the northern branches, by habits: "


def _views(lists: list[ListSpec], **settings: object) -> tuple[dict[str, ElementTree.Element], str]:
    """Views by the last part of their path, without their name space; and the text that goes with them."""
    model = settings_model("salesforce")(
        api_url="https://acme.my.salesforce.com", client_id="id", client_secret="secret", **settings
    )
    files = export.files([FIELD], lists, model)
    trees = {
        path.rsplit("/", 1)[1]: ElementTree.fromstring(text)
        for path, text in files.items()
        if "listViews" in path
    }
    for tree in trees.values():
        for element in tree.iter():
            element.tag = element.tag.rpartition("}")[2]
    return trees, files["README.txt"]


def _list(key: str, label: str, **more: str) -> ListSpec:
    return ListSpec(f"rfm.{key}", label, "dynamic", field="seg_rfm", value=key, **more)  # type: ignore[arg-type]


def test_views_have_the_scope_and_the_groups_of_the_config() -> None:
    views, _ = _views(
        [_list("champions", "Champions")], list_view_groups=("Sales", "Service"), list_view_scope="mine"
    )
    (view,) = views.values()
    assert view.findtext("filterScope") == "Mine"
    assert [group.text for group in view.findall("sharedTo/group")] == ["Sales", "Service"]
    (public,) = _views([_list("champions", "Champions")])[0].values()
    assert public.findtext("filterScope") == "Everything" and public.find("sharedTo") is None


def test_long_labels_of_one_segmentation_stay_apart() -> None:
    views, _ = _views([_list("champions", LONG + "Champions"), _list("lost", LONG + "Lost")])
    labels = [view.findtext("label") or "" for view in views.values()]
    assert len(set(labels)) == 2 and all(len(label) <= 40 for label in labels)
    assert {label[-4:] for label in labels} == {"ions", "Lost"}


def test_views_of_campaigns_are_named_where_they_are_missing() -> None:
    views, instructions = _views([_list("champions", "Champions"), _list("lost", "Lost", channel="email")])
    assert len(views) == 1 and "rfm.lost" in instructions and "setup" in instructions
