"""From files and a command line to `NodeSettings`.

Owns: `load_node`, `from_origin`, `check_file`. Rules: every problem of every file is found in one pass and raised as one
`SettingsFault`; the command line wins over the node file; paths in a file are meant from that file, paths on the command
line from the working folder. This blocks (it reads files): on a running loop it belongs into a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from glob import has_magic
from itertools import islice
from pathlib import Path

from edge.settings.bus_schema import nats_in_folder
from edge.settings.document import MAX_FILE_BYTES, Document, Written, names_at_top, parse, read_table
from edge.settings.machine import fault_of_access_log, fault_of_ca_file, fault_of_data_dir
from edge.settings.membership import joined, misled
from edge.settings.network_file import check_network, is_network, read_network
from edge.settings.node import LogTarget, NodeSettings, Overrides
from edge.settings.node_schema import NODE, SITE_ARRAY
from edge.settings.problems import Fault, Problem, Refused, SettingsFault, shown
from edge.settings.site_file import PlacedSite, conflicts, read_site
from edge.settings.site_schema import SITE
from edge.settings.sites import SiteTable
from edge.settings.tiering import unfit
from edge.settings.tls import tls_in_folder, unfit_tls, with_policies

MAX_SITE_FILES = 10_000
COMMAND_LINE = "command line"
NOTHING_SAID = Overrides()

Contents = Mapping[Path, bytes]
"""What stood in the files of one load: the node file's first, then the site files' in their order."""


def load_node(
    file: Path,
    overrides: Overrides = NOTHING_SAID,
    *,
    env: Mapping[str, str] | None = None,
    on_this_machine: bool = False,
    kept: Contents | None = None,
    keep: dict[Path, bytes] | None = None,
) -> NodeSettings:
    """The settings in a node file and its site files. Raises SettingsFault with every problem.

    env: where { env = "NAME" } is looked up, None = the process's environment. on_this_machine: also check what only holds
    here (folders, certificates), and make the data folder. keep: gets what was read. kept: what another load was given by
    `keep`, to be read instead of the files, whatever stands in them by now.
    """
    loading = _Loading(os.environ if env is None else env, on_this_machine, kept)  # noqa: TID251  # they come from here
    document = loading.document(file)
    settings = loading.result(loading.node(file, document, overrides) if document is not None else None)
    if keep is not None:
        keep.update(loading.contents)
    return settings


def from_origin(
    url: str, overrides: Overrides = NOTHING_SAID, *, on_this_machine: bool = False
) -> NodeSettings:
    """All defaults and one site, named "default", that takes every host. Raises SettingsFault for a bad URL."""
    loading = _Loading({}, on_this_machine)
    return loading.result(loading.node(None, Document("", {}, {}), replace(overrides, origin=url)))


class FileKind(Enum):
    """What a file is, by the names at its top; the word in `perigee check --json`."""

    NODE = "node"
    SITE = "site"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in a file. sites: the names of the sites it has or routes, as far as they could be read."""

    file: Path
    kind: FileKind
    sites: tuple[str, ...]
    problems: tuple[Problem, ...]


def check_file(file: Path, *, env: Mapping[str, str] | None = None, on_this_machine: bool = False) -> Checked:
    """Every problem of a node file with its sites, of a site file by itself, or of a network file."""
    loading = _Loading(os.environ if env is None else env, on_this_machine)  # noqa: TID251  # settings come from here
    document = loading.document(file)
    kind = FileKind.NODE
    if document is not None and is_network(document.table):
        network, problems = check_network(file, env=loading.env)
        return Checked(file, FileKind.NETWORK, tuple(route.name for route in network.routes), problems)
    if document is not None:
        if names_at_top(document.table, SITE) <= names_at_top(document.table, NODE):
            loading.node(file, document, NOTHING_SAID)
        else:
            kind = FileKind.SITE
            loading.site(document, document.table, (), file.parent)
    return Checked(file, kind, tuple(loading.sites), loading.sorted())


def site_files(settings: NodeSettings) -> tuple[Path, ...]:
    """The site files that there are now, by the patterns of the node file."""
    if settings.file is None:
        return ()
    found: list[Path] = []
    for pattern in settings.site_files:
        try:
            found += islice(_matching(settings.file.parent, pattern), MAX_SITE_FILES)
        except (OSError, ValueError):
            continue  # it was fine when it was loaded; what is not there any more does not match
    return tuple(dict.fromkeys(found))


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """Files in order of name. ValueError for a pattern that is none."""
    if not has_magic(pattern):
        yield from [folder / pattern] if (folder / pattern).is_file() else []
        return
    start = folder
    path = Path(pattern)
    if path.is_absolute():
        start, path = Path(path.anchor), path.relative_to(path.anchor)
    yield from sorted(found for found in start.glob(str(path)) if found.is_file())


def in_folder(settings: NodeSettings, folder: Path) -> NodeSettings:
    """The files that settings name, meant from `folder`."""
    keys = settings.purge.keys
    network = settings.network_file
    return replace(
        settings,
        network_file=None if network is None else folder / network,
        nats=nats_in_folder(settings.nats, folder),
        purge=settings.purge if keys is None else replace(settings.purge, keys=folder / keys),
        tls=tls_in_folder(settings.tls, folder),
    )


def _content(file: Path) -> bytes:
    """One byte more than is allowed, at most. OSError."""
    if file.exists() and not file.is_file():
        raise OSError(0, "it is no regular file")
    with file.open("rb") as opened:
        return opened.read(MAX_FILE_BYTES + 1)


@dataclass(slots=True)
class _Loading:
    """One load, and what is wrong so far."""

    env: Mapping[str, str]
    on_this_machine: bool
    kept: Contents | None = None
    contents: dict[Path, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """In the order in which problems are shown."""
    sites: list[str] = field(default_factory=list)
    """Names of those read."""

    def document(self, file: Path) -> Document | None:
        """A parsed file; None, with the problem noted, when there is none."""
        name = str(file)
        self.files.append(name)
        try:
            content = self.contents[file] = _content(file) if self.kept is None else self.kept[file]
            return parse(name, content)
        except OSError as error:
            wrong = f"the file cannot be read: {error.strerror or error}"
            self.problems.append(Problem(name, None, "", wrong, "name a file that is there and may be read"))
        except SettingsFault as fault:
            self.problems += fault.problems
        return None

    def result(self, settings: NodeSettings | None) -> NodeSettings:
        if self.problems:
            raise SettingsFault(self.sorted())
        assert settings is not None, "nothing was loaded and nothing was wrong"
        return settings

    def sorted(self) -> tuple[Problem, ...]:
        """All problems by file and line; the command line's last."""
        order = {name: index for index, name in enumerate(self.files)}
        last = len(order)
        return tuple(sorted(self.problems, key=lambda p: (order.get(p.file, last), p.line or 0)))

    def node(self, file: Path | None, document: Document, overrides: Overrides) -> NodeSettings | None:
        """The settings of a node; None when something is wrong with them."""
        written = read_table(document, document.table, NODE, env=self.env, besides=frozenset({SITE_ARRAY}))
        self.problems += written.problems
        said = self._said(overrides)
        values, _ = NODE.settle(written.values | said)
        settings = replace(NODE.build(values), file=file)
        folder = Path() if file is None else file.parent
        data_dir, access = values.get("node.data_dir"), values.get("log.access")
        if isinstance(data_dir, str):
            settings = replace(
                settings, data_dir=Path(data_dir) if "node.data_dir" in said else folder / data_dir
            )
        if access is not None:
            target = access if isinstance(access, LogTarget) else folder / str(access)
            settings = replace(settings, log=replace(settings.log, access=target))
        settings = self._in_network(in_folder(settings, folder), document, written)
        self.problems += [*unfit(settings, document), *unfit_tls(settings, document)]
        if self.on_this_machine:
            self._ask_machine(settings, document, said)
        sites, wrong = with_policies(self._sites(settings, document, folder, overrides), settings.tls)
        self.problems += [*wrong, *conflicts(sites)]
        if not self.problems:
            self.problems += misled(sites, settings.network)
        if self.problems:
            return None
        return replace(settings, sites=SiteTable(site.rules for site in sites))

    def _in_network(self, settings: NodeSettings, document: Document, written: Written) -> NodeSettings:
        """As a node of the network that it names, if it names one."""
        file = settings.network_file
        inner = None if file is None else self.document(file)
        if file is None or inner is None:
            return settings
        network, problems = read_network(inner, env=self.env, folder=file.parent, changed=0)
        self.problems += problems
        if problems:
            return settings
        region = written.values.get("node.region")
        settings, wrong = joined(settings, replace(network, file=file), document, region)
        self.problems += wrong
        return settings

    def _said(self, overrides: Overrides) -> dict[str, object]:
        """Values from the command line; `origin` is a site and is read elsewhere."""
        values: dict[str, object] = {}
        for name, text in overrides.said():
            if name == "origin":
                continue
            digits = name == "workers" and text.isascii() and text.isdigit() and len(text) < 10
            try:
                values[f"node.{name}"] = NODE.settings[f"node.{name}"].kind.read(
                    int(text) if digits else text
                )
            except Refused as refusal:
                self._refuse_option(name, refusal.faults)
        return values

    def _refuse_option(self, name: str, faults: Iterable[Fault]) -> None:
        option = "--node" if name == "name" else f"--{name.replace('_', '-')}"
        self.problems += [Problem(COMMAND_LINE, None, option, f.wrong, f.instead) for f in faults]

    def _ask_machine(self, settings: NodeSettings, document: Document, said: Mapping[str, object]) -> None:
        fault = fault_of_data_dir(settings.data_dir)
        if fault is not None and (settings.file is None or "node.data_dir" in said):
            self._refuse_option("data_dir", (fault,))
        elif fault is not None:
            self.problems.append(document.problem(("node", "data_dir"), fault.wrong, fault.instead))
        if isinstance(settings.log.access, Path):
            fault = fault_of_access_log(settings.log.access)
            if fault is not None:
                self.problems.append(document.problem(("log", "access"), fault.wrong, fault.instead))

    def _sites(
        self, settings: NodeSettings, document: Document, folder: Path, overrides: Overrides
    ) -> Iterator[PlacedSite]:
        """Those within the node file, those of files of their own, and that of the command line."""
        count, before = 0, len(self.problems)
        array = document.table.get(SITE_ARRAY, [])
        if not isinstance(array, list) or not all(isinstance(table, dict) for table in array):
            wrong = f"{shown(array)} stands where a site belongs"
            self.problems.append(document.problem((SITE_ARRAY,), wrong, "write [[site]], with two brackets"))
            array = []
        for index, table in enumerate(array):
            count += 1
            yield self.site(document, table, (SITE_ARRAY, index), folder)
        for file in self._site_files(settings, document):
            count += 1
            inner = self.document(file)
            if inner is not None:
                yield self.site(inner, inner.table, (), file.parent)
        if overrides.origin is not None:
            count += 1
            yield from self._command_line_site(overrides.origin)
        if not count and len(self.problems) == before:
            patterns = ", ".join(settings.site_files)
            instead = f"write a [[site]] here, or a site file that matches {patterns}"
            self.problems.append(
                document.problem(("sites",), "there is no site, so every host would get 421", instead)
            )

    def _command_line_site(self, url: str) -> Iterator[PlacedSite]:
        written = Written()
        try:
            written.values["origins"] = SITE.settings["origins"].kind.read([url])
        except Refused as refusal:
            self._refuse_option("origin", refusal.faults)
            return
        rules = SITE.build(written.values)
        # Whoever types a name in front of an edge means the machine it names, in a private network more often than not.
        rules = replace(rules, origin=replace(rules.origin, allow_private_names=True))
        yield PlacedSite(rules, Document(COMMAND_LINE, {}, {}))

    def _site_files(self, settings: NodeSettings, document: Document) -> Iterator[Path]:
        if settings.file is None:
            return
        if self.kept is not None:
            yield from (file for file in self.kept if file not in (settings.file, settings.network_file))
            return
        seen: set[Path] = set()
        for index, pattern in enumerate(settings.site_files):
            at = ("sites", index) if isinstance(document.table.get("sites"), list) else ("sites",)
            try:
                if "**" in pattern:
                    raise ValueError("** would search every folder below")
                files = list(islice(_matching(settings.file.parent, pattern), MAX_SITE_FILES + 1))
            except (OSError, ValueError, NotImplementedError) as error:
                wrong = f"{shown(pattern)} cannot be looked for: {error}"
                self.problems.append(document.problem(at, wrong, 'write a pattern such as "sites/*.toml"'))
                continue
            if len(files) > MAX_SITE_FILES:
                wrong = f"more than {MAX_SITE_FILES} files match {shown(pattern)}"
                self.problems.append(document.problem(at, wrong, "write several sites into one file"))
            elif not files and not has_magic(pattern):
                self.problems.append(
                    document.problem(
                        at, f"there is no file {shown(pattern)}", "write a file that is there, or a pattern"
                    )
                )
            yield from (file for file in files[:MAX_SITE_FILES] if file not in seen)
            seen.update(files)

    def site(
        self, document: Document, table: Mapping[str, object], base: tuple[str | int, ...], folder: Path
    ) -> PlacedSite:
        """One site, its problems noted."""
        placed, problems = read_site(document, table, base=base, env=self.env, folder=folder)
        self.problems += problems
        self.sites.append(placed.rules.name)
        ca_file = placed.rules.origin.tls_ca_file
        fault = fault_of_ca_file(ca_file) if self.on_this_machine and ca_file is not None else None
        if fault is not None:
            self.problems.append(
                document.problem((*base, "origin", "tls_ca_file"), fault.wrong, fault.instead)
            )
        return placed
