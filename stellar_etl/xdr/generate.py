"""Makes `generated.py` and `names.py`: decoders and enum names from the XDR definitions that stellar-sdk carries.

    python -m stellar_etl.xdr.generate [--check]

Every class of `stellar_sdk.xdr` quotes its XDR source in its docstring. A decoder takes the bytes and a position, and
returns the value and the position after it; neighbouring fields of fixed size are read by one `struct.unpack_from`.

An example. The class `DecoratedSignature` quotes this source:

    struct DecoratedSignature
    {
        SignatureHint hint;  // last 4 bytes of the public key, used as a hint
        Signature signature; // actual signature
    };

`SignatureHint` is `opaque[4]` and `Signature` is `opaque<64>`: four bytes of fixed size, then a length and as many
bytes, padded to a multiple of four. The hint and the length are neighbours of fixed size, so one `unpack_from` of the
format `>4sI` reads both. The generator writes:

    def d_DecoratedSignature(b: bytes, p: int) -> Any:
        (x_hint, x_signature_h,) = U_4sI(b, p)             # hint, and the length of the signature
        p += 8
        x_signature = b[p : p + x_signature_h]
        p += (x_signature_h + 3) & -4                      # the bytes and their padding
        if p > len(b):
            raise ValueError(f'{x_signature_h} bytes at byte {p} are not all there')
        x = {"hint": x_hint, "signature": x_signature}     # a struct is a dict; a union a pair of its arm and value
        return x, p

A struct of structs of fixed size, such as `Price` within `OfferEntry`, has no decoder of its own: its fields are part
of the one `unpack_from` of the struct around it.
"""

from __future__ import annotations

import argparse
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

ROOTS = ("LedgerCloseMetaBatch", "LedgerCloseMeta", "LedgerHeaderHistoryEntry", "BucketEntry")
"""The types that are decoded as a whole; decoders of their parts follow from them."""

RAW_TYPES = {
    "TransactionEnvelope",
    "TransactionMeta",
    "TransactionResult",
    "LedgerHeader",
    "GeneralizedTransactionSet",
    "ContractEvent",
    "ContractDataEntry",
}
"""Types whose encoded bytes are kept: they are columns, or input of hashes."""

RAW_FIELDS = {
    ("TransactionResultMeta", "result"),
    ("TransactionResultMeta", "feeProcessing"),
    ("TransactionResultMetaV1", "result"),
    ("TransactionResultMetaV1", "feeProcessing"),
    ("TransactionV0Envelope", "tx"),
    ("TransactionV1Envelope", "tx"),
    ("FeeBumpTransactionEnvelope", "tx"),
    ("LedgerCloseMetaV1", "evictedKeys"),
    ("LedgerCloseMetaV2", "evictedKeys"),
    ("LedgerFootprint", "readOnly"),
    ("LedgerFootprint", "readWrite"),
    ("InvokeContractArgs", "contractAddress"),
    ("InvokeContractArgs", "functionName"),
    ("InvokeContractArgs", "args"),
    ("CreateContractArgsV2", "constructorArgs"),
    ("ContractEvent__v0", "topics"),
    ("ContractEvent__v0", "data"),
    ("ContractDataEntry", "val"),
    ("TrustLineEntry", "asset"),
}
"""Fields whose encoded bytes are kept; of an array, each element's."""

PRIMITIVES = {"int": "i", "uint": "I", "hyper": "q", "uhyper": "Q", "float": "f", "double": "d"}


@dataclass(frozen=True)
class Type:
    """A reference to a type, with its suffix: nothing, `*`, `[n]` or `<n>`."""

    name: str
    shape: str = ""
    size: str | None = None


@dataclass
class Struct:
    """Fields in order."""

    fields: list[tuple[str, Type]] = field(default_factory=list)


@dataclass
class Union:
    """The discriminant's type, and for each arm its cases (None for default) and its type (None for void)."""

    switch: Type
    arms: list[tuple[list[str | None], Type | None]] = field(default_factory=list)


@dataclass
class Enum:
    """Members in order, by value."""

    members: list[tuple[str, str]] = field(default_factory=list)


Definition = Struct | Union | Enum | Type


class Parser:
    """Reads XDR definitions (RFC 4506, without programs) into `types` and `constants`."""

    def __init__(self, source: str) -> None:
        source = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
        self.tokens = re.findall(r"0x[0-9a-fA-F]+|-?\d+|\w+|[{}()\[\]<>;:,=*]", source)
        self.position = 0
        self.types: dict[str, Definition] = {}
        self.constants: dict[str, int] = {}

    def peek(self) -> str:
        """The next token, empty at the end."""
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        """The next token, which must be `expected` if that is given."""
        token = self.peek()
        if expected is not None and token != expected:
            around = " ".join(self.tokens[max(0, self.position - 8) : self.position + 8])
            raise SyntaxError(f"expected {expected!r}, found {token!r} in: {around}")
        self.position += 1
        return token

    def parse(self) -> Parser:
        """Read everything."""
        while kind := self.peek():
            self.take()
            if kind == "const":
                name = self.take()
                self.take("=")
                self.constants[name] = int(self.take(), 0)
            elif kind == "typedef":
                name, declared = self.declaration("")
                assert declared is not None
                self.types[name] = declared
            elif kind in ("struct", "union", "enum"):
                name = self.take()
                self.types[name] = self.body(kind, name)
            else:
                raise SyntaxError(f"a definition begins with {kind!r}")
            self.take(";")
        return self

    def body(self, kind: str, context: str) -> Definition:
        """A struct, union or enum from its brace (or `switch`) on."""
        if kind == "enum":
            return self.enum()
        if kind == "struct":
            return self.struct(context)
        return self.union(context)

    def enum(self) -> Enum:
        """`{ NAME = value, … }`."""
        self.take("{")
        made = Enum()
        while True:
            name = self.take()
            self.take("=")
            value = self.take()
            made.members.append((name, value))
            self.constants[name] = self.constants[value] if value in self.constants else int(value, 0)
            if self.take() == "}":
                return made

    def struct(self, context: str) -> Struct:
        """`{ declaration; … }`."""
        self.take("{")
        made = Struct()
        while self.peek() != "}":
            name, declared = self.declaration(context)
            assert declared is not None
            made.fields.append((name, declared))
            self.take(";")
        self.take("}")
        return made

    def union(self, context: str) -> Union:
        """`switch (type name) { case X: declaration; … }`."""
        self.take("switch")
        self.take("(")
        _, switch = self.declaration(context)
        assert switch is not None
        self.take(")")
        self.take("{")
        made = Union(switch)
        while self.peek() != "}":
            cases: list[str | None] = []
            while self.peek() in ("case", "default"):
                cases.append(self.take() if self.take() == "case" else None)
                self.take(":")
            made.arms.append((cases, self.declaration(context)[1]))
            self.take(";")
        self.take("}")
        return made

    def declaration(self, context: str) -> tuple[str, Type | None]:
        """A name and its type; void has no name. A nested definition becomes a separate type."""
        name = self.take()
        if name == "void":
            return "", None
        if name == "unsigned":
            name = "u" + (self.take() if self.peek() in ("int", "hyper") else "int")
        nested = self.body(name, f"{context}_") if name in ("struct", "union", "enum") else None
        shape = self.take() if self.peek() == "*" else ""
        declared = self.take()
        if nested is not None:
            name = f"{context}_{declared}"
            while name in self.types:
                name += "_"
            self.types[name] = nested
        size = None
        if self.peek() in ("[", "<"):
            shape = self.take()
            close = {"[": "]", "<": ">"}[shape]
            if self.peek() != close:
                size = self.take()
            self.take(close)
        return declared, Type(name, shape, size)


def _parts(made: Definition) -> Iterable[Type]:
    """The types that a struct or a union is made of."""
    if isinstance(made, Struct):
        return [declared for _, declared in made.fields]
    return [declared for _, declared in made.arms if declared is not None] if isinstance(made, Union) else []


class Generator:
    """Writes decoders for the roots and their parts."""

    def __init__(self, parsed: Parser) -> None:
        self.types = parsed.types
        self.constants = parsed.constants
        self.formats: set[str] = set()
        self.queue: list[str] = []
        self.wanted: set[str] = set()
        self.uses: Counter[str] = Counter()
        self.count_uses()

    def value(self, text: str) -> int:
        """A literal or a constant's value."""
        return self.constants[text] if text in self.constants else int(text, 0)

    def resolved(self, declared: Type) -> Type:
        """A type behind its typedefs."""
        while not declared.shape and isinstance(behind := self.types.get(declared.name), Type):
            declared = behind
        return declared

    def fixed(self, declared: Type) -> str | None:
        """The `struct` format of a type with one value of fixed size, None for others."""
        declared = self.resolved(declared)
        if declared.shape == "[" and declared.name == "opaque":
            size = self.value(str(declared.size))
            return f"{size}s" if size % 4 == 0 else None
        if declared.shape:
            return None
        if isinstance(self.types.get(declared.name), Enum):
            return "i"
        return PRIMITIVES.get(declared.name)

    def unpack(self, form: str) -> str:
        """The name of the unpacker of a format."""
        self.formats.add(form)
        return f"U_{form}"

    def need(self, name: str) -> str:
        """The name of a type's decoder, which is added to the module."""
        if name not in self.wanted:
            self.wanted.add(name)
            self.queue.append(name)
        return f"d_{name}"

    def flat(self, declared: Type, into: str) -> tuple[list[tuple[str, str]], list[str]] | None:
        """The code that reads a type of fixed size at once, None for others.

        Returns the variables to unpack with the `struct` format of each, and the statements that make the value from
        them: structs of such types, unions of one case and booleans need some.
        """
        form = self.fixed(declared)
        if form:
            return [(into, form)], []
        declared = self.resolved(declared)
        if declared.shape:
            return None
        if declared.name == "bool":
            return [(f"{into}_h", "I")], [f"{into} = {into}_h == 1"]
        made = self.types.get(declared.name)
        if declared.name in RAW_TYPES:
            return None
        if isinstance(made, Struct):
            return self.flat_struct(declared.name, made, into)
        return self.flat_union(declared.name, made, into) if isinstance(made, Union) else None

    def flat_struct(self, name: str, made: Struct, into: str) -> tuple[list[tuple[str, str]], list[str]] | None:
        """`flat` for a struct."""
        run: list[tuple[str, str]] = []
        after: list[str] = []
        for key, declared in made.fields:
            part = None if (name, key) in RAW_FIELDS else self.flat(declared, f"{into}_{key}")
            if part is None:
                return None
            run += part[0]
            after += part[1]
        values = ", ".join(f'"{key}": {into}_{key}' for key, _ in made.fields)
        return run, [*after, f"{into} = {{{values}}}"]

    def flat_union(self, name: str, made: Union, into: str) -> tuple[list[tuple[str, str]], list[str]] | None:
        """`flat` for a union, if it has one case."""
        if len(made.arms) > 1 or len(made.arms[0][0]) > 1 or None in made.arms[0][0]:
            return None
        (labels, declared) = made.arms[0]
        part = self.flat(declared, f"{into}_v") if declared else ([], [f"{into}_v = None"])
        if part is None:
            return None
        value = self.value(str(labels[0]))
        check = [
            f"if {into}_h != {value}:",
            f"    raise ValueError(f'{name} {{{into}_h}} before byte {{p}} is unknown')",
        ]
        made_of = f"{into} = ({value}, {f'{into}_v' if declared else None})"
        return [(f"{into}_h", self.switch_form(made)), *part[0]], [*check, *(part[1] if declared else []), made_of]

    def unpacked(self, run: list[tuple[str, str]], indent: str) -> list[str]:
        """Statements that read variables at once."""
        form = "".join(part for _, part in run)
        targets = ", ".join(target for target, _ in run)
        return [
            f"{indent}({targets},) = {self.unpack(form)}(b, p)",
            f"{indent}p += {struct.calcsize('>' + form)}",
        ]

    def head(self, declared: Type) -> str | None:
        """The `struct` format of the head of a value of variable size: a flag, a count or a discriminant.

        None for values with a separate decoder. A head is read together with the fields before it.
        """
        declared = self.resolved(declared)
        if declared.shape in ("*", "<") or declared.name == "string":
            return "I"
        made = self.types.get(declared.name)
        if declared.shape or declared.name in RAW_TYPES or not self.is_inlined(declared.name):
            return None
        return self.switch_form(made) if isinstance(made, Union) else None

    def read(self, declared: Type, into: str, indent: str) -> list[str]:
        """Statements that read a value at `p` into a variable, and move `p`."""
        flat = self.flat(declared, into)
        if flat:
            return [*self.unpacked(flat[0], indent), *(f"{indent}{line}" for line in flat[1])]
        head = self.head(declared)
        if head:
            return [*self.unpacked([(f"{into}_h", head)], indent), *self.read_rest(declared, into, indent)]
        declared = self.resolved(declared)
        if declared.shape == "[":
            return self.read_fixed_array(declared, into, indent)
        if self.is_inlined(declared.name):
            return self.inlined(declared.name, into, indent)
        return [f"{indent}{into}, p = {self.need(declared.name)}(b, p)"]

    def read_fixed_array(self, declared: Type, into: str, indent: str) -> list[str]:
        """Statements for `type name[n]`."""
        size = self.value(str(declared.size))
        if declared.name == "opaque":
            return [f"{indent}{into} = b[p : p + {size}]", f"{indent}p += {(size + 3) // 4 * 4}"]
        element = self.fixed(Type(declared.name))
        assert element, f"no fixed array of {declared.name} was seen before"
        form = element * size
        return [f"{indent}{into} = {self.unpack(form)}(b, p)", f"{indent}p += {struct.calcsize('>' + form)}"]

    def read_rest(self, declared: Type, into: str, indent: str) -> list[str]:
        """Statements that read a value with its head in `{into}_h`."""
        declared = self.resolved(declared)
        if declared.shape == "*":
            return [
                f"{indent}if {into}_h:",
                *self.read(Type(declared.name), into, indent + "    "),
                f"{indent}else:",
                f"{indent}    {into} = None",
            ]
        if declared.shape == "<" or declared.name == "string":
            return self.read_array(declared, into, indent)
        return self.arms(declared.name, into, indent)

    def read_array(self, declared: Type, into: str, indent: str) -> list[str]:
        """Statements for `type name<n>` after its length; bytes are sliced, and must be complete."""
        if declared.name in ("opaque", "string"):
            return [
                f"{indent}{into} = b[p : p + {into}_h]",
                f"{indent}p += ({into}_h + 3) & -4",
                f"{indent}if p > len(b):",
                f"{indent}    raise ValueError(f'{{{into}_h}} bytes at byte {{p}} are not all there')",
            ]
        return [
            f"{indent}{into} = []",
            f"{indent}for _ in range({into}_h):",
            *self.read(Type(declared.name), f"{into}_x", indent + "    "),
            f"{indent}    {into}.append({into}_x)",
        ]

    def read_with_raw(self, declared: Type, into: str, indent: str) -> list[str]:
        """Statements that read a value and keep its bytes in `{into}_raw`; of an array, each element's."""
        behind = self.resolved(declared)
        if behind.shape == "<" and declared.name == behind.name:
            return [
                f"{indent}(n,) = {self.unpack('I')}(b, p)",
                f"{indent}p += 4",
                f"{indent}{into} = []",
                f"{indent}{into}_raw = []",
                f"{indent}for _ in range(n):",
                f"{indent}    {into}_q = p",
                *self.read(Type(declared.name), f"{into}_x", indent + "    "),
                f"{indent}    {into}.append({into}_x)",
                f"{indent}    {into}_raw.append(b[{into}_q:p])",
            ]
        return [f"{indent}{into}_q = p", *self.read(declared, into, indent), f"{indent}{into}_raw = b[{into}_q:p]"]

    def struct(self, name: str, made: Struct, into: str, indent: str) -> list[str]:
        """Statements that read a struct: neighbouring fields of fixed size, and the switch after them, in one read."""
        raw = name in RAW_TYPES
        lines = [f"{indent}{into}_start = p"] if raw else []
        fields = [(key, declared, f"{into}_{key}") for key, declared in made.fields]
        keys: list[tuple[str, str]] = []
        while fields:
            run: list[tuple[str, str]] = []
            after: list[str] = []
            while fields and (name, fields[0][0]) not in RAW_FIELDS and (flat := self.flat(*fields[0][1:])):
                key, _, target = fields.pop(0)
                run += flat[0]
                after += flat[1]
                keys.append((key, target))
            head = self.head(fields[0][1]) if run and fields and (name, fields[0][0]) not in RAW_FIELDS else None
            if head:
                run.append((f"{fields[0][2]}_h", head))
            if run:
                lines += [*self.unpacked(run, indent), *(f"{indent}{line}" for line in after)]
            if not fields:
                break
            key, declared, target = fields.pop(0)
            keys.append((key, target))
            if head:
                lines += self.read_rest(declared, target, indent)
            elif (name, key) in RAW_FIELDS:
                lines += self.read_with_raw(declared, target, indent)
                keys.append((f"{key}_raw", f"{target}_raw"))
            else:
                lines += self.read(declared, target, indent)
        if raw:
            keys.append(("raw", f"b[{into}_start:p]"))
        return [*lines, f"{indent}{into} = {{" + ", ".join(f'"{key}": {text}' for key, text in keys) + "}"]

    def switch_form(self, made: Union) -> str:
        """The `struct` format of a union's discriminant."""
        return "I" if self.fixed(made.switch) == "I" else "i"

    def union(self, name: str, made: Union, into: str, indent: str) -> list[str]:
        """Statements that read a union."""
        start = [f"{indent}{into}_start = p"] if name in RAW_TYPES else []
        read = self.unpacked([(f"{into}_h", self.switch_form(made))], indent)
        return [*start, *read, *self.arms(name, into, indent)]

    def arms(self, name: str, into: str, indent: str) -> list[str]:
        """Statements that read the arm of a union, after its discriminant was read."""
        made = self.types[name]
        assert isinstance(made, Union)
        raw = f", b[{into}_start:p]" if name in RAW_TYPES else ""
        default = [f"{indent}    raise ValueError(f'{name} {{{into}_h}} at byte {{p - 4}} is unknown')"]
        cases: dict[int, list[str]] = {}
        for labels, declared in made.arms:
            values = [self.value(label) for label in labels if label is not None]
            if declared is None:
                body = [f"{indent}    {into} = ({{t}}, None{raw})"]
            else:
                body = self.read(declared, f"{into}_v", indent + "    ")
                body.append(f"{indent}    {into} = ({{t}}, {into}_v{raw})")
            # The value itself if there is one: Python makes a tuple of constants only once.
            cases |= {value: [line.replace("{t}", str(value)) for line in body] for value in values}
            if None in labels:
                default = [line.replace("{t}", f"{into}_h") for line in body]
        return self.choice(sorted(cases.items()), default, f"{into}_h", indent)

    def choice(self, cases: list[tuple[int, list[str]]], default: list[str], variable: str, indent: str) -> list[str]:
        """Tests for each case; a binary search splits many cases, so that each is reached by a few tests."""
        if len(cases) > 4:
            middle = len(cases) // 2
            halves = [self.choice(half, default, variable, indent) for half in (cases[:middle], cases[middle:])]
            low, high = ([f"    {line}" for line in half] for half in halves)
            return [f"{indent}if {variable} < {cases[middle][0]}:", *low, f"{indent}else:", *high]
        lines = []
        for number, (value, body) in enumerate(cases):
            lines += [f"{indent}{'elif' if number else 'if'} {variable} == {value}:", *body]
        return [*lines, f"{indent}else:", *default] if cases else default

    def count_uses(self) -> None:
        """Count the uses of each type, over all types: a type that is used once is read inline."""
        for made in self.types.values():
            for declared in _parts(made):
                element = self.resolved(Type(self.resolved(declared).name))
                self.uses[element.name] += 1

    def is_inlined(self, name: str) -> bool:
        """Whether a type is read inline: it is used once, or is a union of one case."""
        made = self.types.get(name)  # None for a primitive
        if isinstance(made, Union) and len(made.arms) == 1:
            return True
        return isinstance(made, Struct | Union) and self.uses[name] == 1 and name not in ROOTS

    def inlined(self, name: str, into: str, indent: str) -> list[str]:
        """Statements that read a struct or a union into a variable."""
        made = self.types[name]
        if isinstance(made, Struct):
            return self.struct(name, made, into, indent)
        assert isinstance(made, Union), f"{name} is read inline, and needs no decoder"
        return self.union(name, made, into, indent)

    def decoder(self, name: str) -> Iterable[str]:
        """The function that decodes a type."""
        yield f"def d_{name}(b: bytes, p: int) -> Any:"
        yield from self.inlined(name, "x", "    ")
        yield "    return x, p"

    def source(self) -> str:
        """The module."""
        functions: list[str] = []
        for root in ROOTS:
            self.need(root)
        while self.queue:
            functions += ["", "", *self.decoder(self.queue.pop(0))]
        head = [
            '"""Decoders of Stellar\'s XDR. Made by `python -m stellar_etl.xdr.generate`; do not edit."""',
            "",
            "# ruff: noqa",
            "from struct import Struct",
            "from typing import Any",
            "",
            *(f'U_{form} = Struct(">{form}").unpack_from' for form in sorted(self.formats)),
        ]
        return "\n".join([*head, *functions]) + "\n"

    def enum_names(self) -> str:
        """The module of enum names: for each enum a dict from value to name, and every member as a constant."""
        lines = ['"""Names of Stellar\'s XDR enums. Made by `python -m stellar_etl.xdr.generate`; do not edit."""', ""]
        lines += ["# ruff: noqa"]
        for name, made in sorted(self.types.items()):
            if isinstance(made, Enum):
                lines += ["", f"{name} = {{"]
                lines += [f'    {self.value(member)}: "{member}",' for member, _ in made.members]
                lines += ["}"]
        lines.append("")
        for _, made in sorted(self.types.items()):
            if isinstance(made, Enum):
                lines += [f"{member} = {self.value(member)}" for member, _ in made.members]
        return "\n".join(lines) + "\n"


def definitions() -> str:
    """The XDR source that stellar-sdk's classes quote, as one text."""
    import stellar_sdk.xdr as sdk
    from stellar_sdk.xdr import constants

    parts = [f"const {name} = {value};" for name, value in vars(constants).items() if name.isupper()]
    for name in dir(sdk):
        quoted = (getattr(getattr(sdk, name), "__doc__", None) or "").partition("XDR Source Code::")[2].strip()
        # Nested definitions have a separate class without a name in the source: they come with their parent.
        if re.match(rf"(struct|union|enum)\s+{name}\b|typedef\b", quoted):
            parts.append(quoted)
    return "\n".join(parts)


def main() -> None:
    """Write the two modules, or with --check report whether they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m stellar_etl.xdr.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a module is out of date")
    check = parser.parse_args().check
    generator = Generator(Parser(definitions()).parse())
    folder = Path(__file__).parent
    for name, text in (("generated.py", generator.source()), ("names.py", generator.enum_names())):
        path = folder / name
        if check and (not path.exists() or path.read_text() != text):
            sys.exit(f"{path} is out of date: run python -m stellar_etl.xdr.generate")
        if not check:
            path.write_text(text)
            print(f"{path}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
