# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS records made by hand under the keys of a session that Python's ssl began: its key log gives the secrets, libcrypto (which ssl needs anyway) the
cipher. TLS 1.3 (RFC 8446, 5.2 and 7) and the AES-GCM suites of TLS 1.2 (RFC 5288)."""
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import struct

CCS, ALERT, HANDSHAKE, DATA, HEARTBEAT = 20, 21, 22, 23, 24
_crypto = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for _name in ("EVP_aes_128_gcm", "EVP_aes_256_gcm", "EVP_chacha20_poly1305", "EVP_CIPHER_CTX_new"):
    getattr(_crypto, _name).restype = ctypes.c_void_p
SET_IV, GET_TAG, SET_TAG = 9, 0x10, 0x11
SUITES = {"AES_256_GCM_SHA384": ("EVP_aes_256_gcm", 32, "sha384"), "AES_128_GCM_SHA256": ("EVP_aes_128_gcm", 16, "sha256"),
          "CHACHA20_POLY1305_SHA256": ("EVP_chacha20_poly1305", 32, "sha256")}


def plain(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def records(data):
    """[(kind, version, body)] of the whole records in data."""
    found, at = [], 0
    while len(data) - at >= 5:
        kind, version, size = struct.unpack_from(">BHH", data, at)
        if len(data) - at - 5 < size:
            break
        found.append((kind, version, bytes(data[at + 5:at + 5 + size])))
        at += 5 + size
    return found


def handshake(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _pointer(data):
    return (ctypes.c_ubyte * len(data)).from_buffer_copy(data) if data else None


def aead(cipher, key, nonce, data, extra, tag=None):
    """Sealed data with its tag; or, with a tag, the opened data, None when it is not good."""
    seal, context = tag is None, ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
    run, update, final = (_crypto.EVP_EncryptInit_ex, _crypto.EVP_EncryptUpdate, _crypto.EVP_EncryptFinal_ex) if seal else \
        (_crypto.EVP_DecryptInit_ex, _crypto.EVP_DecryptUpdate, _crypto.EVP_DecryptFinal_ex)
    out, size = ctypes.create_string_buffer(len(data) + 32), ctypes.c_int()
    run(context, ctypes.c_void_p(getattr(_crypto, cipher)()), None, None, None)
    _crypto.EVP_CIPHER_CTX_ctrl(context, SET_IV, len(nonce), None)
    run(context, None, None, _pointer(key), _pointer(nonce))
    if extra:
        update(context, None, ctypes.byref(size), _pointer(extra), len(extra))
    update(context, out, ctypes.byref(size), _pointer(data) or _pointer(b"\0"), len(data))
    if not seal:
        _crypto.EVP_CIPHER_CTX_ctrl(context, SET_TAG, len(tag), _pointer(tag))
    good = final(context, ctypes.byref(out, len(data)), ctypes.byref(size)) == 1
    made = ctypes.create_string_buffer(16)
    if seal:
        _crypto.EVP_CIPHER_CTX_ctrl(context, GET_TAG, 16, made)
    _crypto.EVP_CIPHER_CTX_free(context)
    return out.raw[:len(data)] + (made.raw if seal else b"") if good else None


def expand_label(secret, label, size, name):
    info = struct.pack(">HB", size, 6 + len(label)) + b"tls13 " + label + b"\0"
    out, block, number = b"", b"", 1
    while len(out) < size:
        block = hmac.new(secret, block + info + bytes([number]), name).digest()
        out, number = out + block, number + 1
    return out[:size]


def prf(secret, label, seed, size, name):
    """RFC 5246, section 5."""
    out, a = b"", label + seed
    while len(out) < size:
        a = hmac.new(secret, a, name).digest()
        out += hmac.new(secret, a + label + seed, name).digest()
    return out[:size]


class Sender13:
    """Records of one side under one traffic secret."""

    def __init__(self, suite, secret):
        self.cipher, self.key_size, self.hash = next(row for name, row in SUITES.items() if suite.endswith(name))
        self.secret, self.seq = secret, 0
        self._keys()

    def _keys(self):
        self.key, self.iv = expand_label(self.secret, b"key", self.key_size, self.hash), expand_label(self.secret, b"iv", 12, self.hash)

    def update(self):
        self.secret, self.seq = expand_label(self.secret, b"traffic upd", hashlib.new(self.hash).digest_size, self.hash), 0
        self._keys()

    def _nonce(self):
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.seq.to_bytes(12, "big")))
        self.seq += 1
        return nonce

    def inner(self, content, version=0x0303, kind=DATA):
        """content: with its type at its end, as it stands under the cipher."""
        head = struct.pack(">BHH", kind, version, len(content) + 16)
        return head + aead(self.cipher, self.key, self._nonce(), content, head)

    def seal(self, kind, data, pad=0):
        return self.inner(data + bytes([kind]) + b"\0" * pad)

    def open(self, body):
        head = struct.pack(">BHH", DATA, 0x0303, len(body))
        content = aead(self.cipher, self.key, self._nonce(), body[:-16], head, body[-16:])
        content = content.rstrip(b"\0")
        return content[-1], content[:-1]


class Sender12:
    """The client's records in TLS 1.2 with AES-GCM."""

    def __init__(self, suite, master, client_random, server_random):
        self.cipher, size, self.hash = ("EVP_aes_256_gcm", 32, "sha384") if "AES256" in suite else ("EVP_aes_128_gcm", 16, "sha256")
        block = prf(master, b"key expansion", server_random + client_random, 2 * size + 8, self.hash)
        self.key, self.iv, self.seq = block[:size], block[2 * size:2 * size + 4], 0

    def seal(self, kind, data):
        number = self.seq.to_bytes(8, "big")
        self.seq += 1
        sealed = aead(self.cipher, self.key, self.iv + number, data, number + struct.pack(">BHH", kind, 0x0303, len(data)))
        return plain(kind, number + sealed)


class KeyLog:
    """The secrets that a context writes into its file."""

    def __init__(self, context, folder, name):
        self.path, self.at, self.secrets = os.path.join(folder, f"keylog-{name}"), 0, {}
        context.keylog_filename = self.path

    def get(self, label, random):
        if (label, random) not in self.secrets:
            with open(self.path, encoding="ascii") as file:
                file.seek(self.at)
                for line in file:
                    words = line.split()
                    if len(words) == 3 and line.endswith("\n"):
                        self.secrets[words[0], bytes.fromhex(words[1])] = bytes.fromhex(words[2])
                        self.at += len(line)
        return self.secrets.pop((label, random), None)
