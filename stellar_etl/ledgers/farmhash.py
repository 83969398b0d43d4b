"""FarmHash's Fingerprint64, the hash in asset ids.

The function is frozen by its authors ("fingerprint functions will not change"): this is `farmhashna::Hash64`
(https://github.com/google/farmhash/blob/master/src/farmhash.cc).
"""

from __future__ import annotations

from struct import unpack_from

_MASK = 0xFFFFFFFFFFFFFFFF
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _u64(data: bytes, position: int) -> int:
    return int(unpack_from("<Q", data, position)[0])


def _u32(data: bytes, position: int) -> int:
    return int(unpack_from("<I", data, position)[0])


def _rotate(value: int, bits: int) -> int:
    return ((value >> bits) | (value << (64 - bits))) & _MASK


def _shift_mix(value: int) -> int:
    return value ^ (value >> 47)


def _hash_16(u: int, v: int, mul: int) -> int:
    a = ((u ^ v) * mul) & _MASK
    a ^= a >> 47
    b = ((v ^ a) * mul) & _MASK
    b ^= b >> 47
    return (b * mul) & _MASK


def _hash_0_to_16(data: bytes) -> int:
    size = len(data)
    mul = (_K2 + size * 2) & _MASK
    if size >= 8:
        a = (_u64(data, 0) + _K2) & _MASK
        b = _u64(data, size - 8)
        c = (_rotate(b, 37) * mul + a) & _MASK
        d = ((_rotate(a, 25) + b) * mul) & _MASK
        return _hash_16(c, d, mul)
    if size >= 4:
        return _hash_16((size + (_u32(data, 0) << 3)) & _MASK, _u32(data, size - 4), mul)
    if size > 0:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[size - 1] << 2)
        return (_shift_mix((y * _K2 ^ z * _K0) & _MASK) * _K2) & _MASK
    return _K2


def _hash_17_to_32(data: bytes) -> int:
    size = len(data)
    mul = (_K2 + size * 2) & _MASK
    a = (_u64(data, 0) * _K1) & _MASK
    b = _u64(data, 8)
    c = (_u64(data, size - 8) * mul) & _MASK
    d = (_u64(data, size - 16) * _K2) & _MASK
    return _hash_16(
        (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK,
        (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK,
        mul,
    )


def _hash_33_to_64(data: bytes) -> int:
    size = len(data)
    mul = (_K2 + size * 2) & _MASK
    a = (_u64(data, 0) * _K2) & _MASK
    b = _u64(data, 8)
    c = (_u64(data, size - 8) * mul) & _MASK
    d = (_u64(data, size - 16) * _K2) & _MASK
    y = (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK
    z = _hash_16(y, (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK, mul)
    e = (_u64(data, 16) * mul) & _MASK
    f = _u64(data, 24)
    g = ((y + _u64(data, size - 32)) * mul) & _MASK
    h = ((z + _u64(data, size - 24)) * mul) & _MASK
    return _hash_16(
        (_rotate((e + f) & _MASK, 43) + _rotate(g, 30) + h) & _MASK,
        (e + _rotate((f + a) & _MASK, 18) + g) & _MASK,
        mul,
    )


def _weak_32(data: bytes, position: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = unpack_from("<4Q", data, position)
    a = (a + w) & _MASK
    b = _rotate((b + a + z) & _MASK, 21)
    c = a
    a = (a + x + y) & _MASK
    b = (b + _rotate(a, 44)) & _MASK
    return (a + z) & _MASK, (b + c) & _MASK


def _hash_long(data: bytes) -> int:
    size = len(data)
    seed = 81
    x = seed
    y = (seed * _K1 + 113) & _MASK
    z = (_shift_mix((y * _K2 + 113) & _MASK) * _K2) & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _u64(data, 0)) & _MASK
    end = ((size - 1) // 64) * 64
    last = end + ((size - 1) & 63) - 63
    position = 0
    while True:
        x = (_rotate((x + y + v[0] + _u64(data, position + 8)) & _MASK, 37) * _K1) & _MASK
        y = (_rotate((y + v[1] + _u64(data, position + 48)) & _MASK, 42) * _K1) & _MASK
        x ^= w[1]
        y = (y + v[0] + _u64(data, position + 40)) & _MASK
        z = (_rotate((z + w[0]) & _MASK, 33) * _K1) & _MASK
        v = _weak_32(data, position, (v[1] * _K1) & _MASK, (x + w[0]) & _MASK)
        w = _weak_32(data, position + 32, (z + w[1]) & _MASK, (y + _u64(data, position + 16)) & _MASK)
        z, x = x, z
        position += 64
        if position == end:
            break
    mul = (_K1 + ((z & 0xFF) << 1)) & _MASK
    position = last
    w = ((w[0] + ((size - 1) & 63)) & _MASK, w[1])
    v = ((v[0] + w[0]) & _MASK, v[1])
    w = ((w[0] + v[0]) & _MASK, w[1])
    x = (_rotate((x + y + v[0] + _u64(data, position + 8)) & _MASK, 37) * mul) & _MASK
    y = (_rotate((y + v[1] + _u64(data, position + 48)) & _MASK, 42) * mul) & _MASK
    x ^= (w[1] * 9) & _MASK
    y = (y + v[0] * 9 + _u64(data, position + 40)) & _MASK
    z = (_rotate((z + w[0]) & _MASK, 33) * mul) & _MASK
    v = _weak_32(data, position, (v[1] * mul) & _MASK, (x + w[0]) & _MASK)
    w = _weak_32(data, position + 32, (z + w[1]) & _MASK, (y + _u64(data, position + 16)) & _MASK)
    z, x = x, z
    return _hash_16(
        (_hash_16(v[0], w[0], mul) + _shift_mix(y) * _K0 + z) & _MASK,
        (_hash_16(v[1], w[1], mul) + x) & _MASK,
        mul,
    )


def fingerprint64(data: bytes) -> int:
    """The fingerprint, unsigned."""
    size = len(data)
    if size <= 16:
        return _hash_0_to_16(data)
    if size <= 32:
        return _hash_17_to_32(data)
    if size <= 64:
        return _hash_33_to_64(data)
    return _hash_long(data)


def signed_fingerprint64(data: bytes) -> int:
    """The fingerprint as BigQuery holds it, a signed 64-bit integer."""
    value = fingerprint64(data)
    return value - (1 << 64) if value >> 63 else value
