/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A bounded reader of ELF32 and ELF64: the identification, the program headers, the notes. Every offset comes
 * from the file and is checked before use. */
#include "config.h"

#include "profile/elf-note.h"

#include <elf.h>
#include <string.h>

#include <farwatch/error.h>
#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

#define PROGRAM_HEADERS_MAX 256
#define NOTES_MAX 256
#define TEXT_MAX 4096

typedef struct {
  const guint8 *data;
  gsize size;
} Bytes;

/* What differs between the two classes. */
typedef struct {
  guint64 offset, size;
  guint32 type;
} ElfNoteSegment;

static gboolean
elf_note_refuse (GError **error, const char *text)
{
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG, text);
  return FALSE;
}

static const guint8 *
bytes_at (Bytes bytes, guint64 offset, guint64 size)
{
  return offset <= bytes.size && size <= bytes.size - offset ? bytes.data + offset : NULL;
}

/* The program runs from an ELF file of its own machine. */
static gboolean
machine_fits (const guint8 *ident, guint16 machine)
{
#if defined __x86_64__
  const guint16 own = EM_X86_64;
#elif defined __aarch64__
  const guint16 own = EM_AARCH64;
#elif defined __arm__
  const guint16 own = EM_ARM;
#elif defined __i386__
  const guint16 own = EM_386;
#elif defined __riscv
  const guint16 own = EM_RISCV;
#elif defined __mips__
  const guint16 own = EM_MIPS;
#else
  const guint16 own = machine; /* dlopen decides */
#endif

  return ident[EI_CLASS] == (sizeof (gpointer) == 8 ? ELFCLASS64 : ELFCLASS32) &&
         ident[EI_DATA] == (G_BYTE_ORDER == G_LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB) && machine == own;
}

static gboolean
read_segment (Bytes bytes, guint64 offset, ElfNoteSegment *segment)
{
#if GLIB_SIZEOF_VOID_P == 8
  Elf64_Phdr header;
#else
  Elf32_Phdr header;
#endif
  const guint8 *at = bytes_at (bytes, offset, sizeof header);

  if (at == NULL)
    return FALSE;
  memcpy (&header, at, sizeof header);
  *segment = (ElfNoteSegment){ .offset = header.p_offset, .size = header.p_filesz, .type = header.p_type };
  return TRUE;
}

/* TRUE: desc is the text of our note in this segment. */
static gboolean
find_note (Bytes segment, Bytes *desc)
{
  guint64 at = 0;

  for (guint i = 0; i < NOTES_MAX; i++) {
    Elf32_Nhdr header; /* the same in both classes */
    const guint8 *start = bytes_at (segment, at, sizeof header), *name, *text;
    guint64 name_at, desc_at;

    if (start == NULL)
      return FALSE;
    memcpy (&header, start, sizeof header);
    name_at = at + sizeof header;
    desc_at = name_at + (((guint64) header.n_namesz + 3) & ~(guint64) 3);
    name = bytes_at (segment, name_at, header.n_namesz);
    text = bytes_at (segment, desc_at, header.n_descsz);
    if (name == NULL || text == NULL)
      return FALSE;
    if (header.n_type == FAR_NOTE_TYPE && header.n_namesz == sizeof "Farwatch" &&
        memcmp (name, "Farwatch", sizeof "Farwatch") == 0) {
      *desc = (Bytes){ text, header.n_descsz };
      return TRUE;
    }
    at = desc_at + (((guint64) header.n_descsz + 3) & ~(guint64) 3);
  }
  return FALSE;
}

static gboolean
find_in_segments (Bytes bytes, guint64 table, guint count, guint stride, Bytes *desc, GError **error)
{
  for (guint i = 0; i < MIN (count, PROGRAM_HEADERS_MAX); i++) {
    ElfNoteSegment segment;
    const guint8 *data;

    if (!read_segment (bytes, table + (guint64) i * stride, &segment))
      return elf_note_refuse (error, _ ("the file is cut off"));
    data = bytes_at (bytes, segment.offset, segment.size);
    if (data == NULL)
      return elf_note_refuse (error, _ ("the file is cut off"));
    if (segment.type == PT_NOTE && find_note ((Bytes){ data, segment.size }, desc))
      return TRUE;
  }
  return elf_note_refuse (error, _ ("not a farwatch plugin: it has no note of that kind"));
}

static gboolean
find_desc (Bytes bytes, Bytes *desc, GError **error)
{
#if GLIB_SIZEOF_VOID_P == 8
  Elf64_Ehdr header;
#else
  Elf32_Ehdr header;
#endif

  if (bytes.size < SELFMAG || memcmp (bytes.data, ELFMAG, SELFMAG) != 0)
    return elf_note_refuse (error, _ ("not a plugin: no ELF file"));
  if (bytes.size < sizeof header)
    return elf_note_refuse (error, _ ("the file is cut off"));
  memcpy (&header, bytes.data, sizeof header);
  if (!machine_fits (header.e_ident, header.e_machine))
    return elf_note_refuse (error, _ ("built for another machine"));
  if (header.e_phentsize != sizeof (Elf64_Phdr) && header.e_phentsize != sizeof (Elf32_Phdr))
    return elf_note_refuse (error, _ ("not a plugin: no program headers"));
  return find_in_segments (bytes, header.e_phoff, header.e_phnum, header.e_phentsize, desc, error);
}

static gboolean
elf_note_name_fits (const char *name)
{
  return *name != '\0' && strlen (name) <= 64 &&
         strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen (name);
}

/* One word "kind/name" or "name". */
static gboolean
type_fits (const char *type)
{
  const char *slash = strchr (type, '/');
  g_autofree char *kind = slash != NULL ? g_strndup (type, slash - type) : NULL;

  return kind != NULL && far_kind_parse (kind) != 0 &&
         g_str_equal (far_kind_name (far_kind_parse (kind)), kind) && elf_note_name_fits (slash + 1);
}

static void
note_line (FarElfNote *note, const char *line, gboolean *abi)
{
  guint64 number;

  if (g_str_has_prefix (line, "abi=") &&
      g_ascii_string_to_unsigned (line + 4, 10, 0, G_MAXUINT, &number, NULL)) {
    note->abi = (guint) number;
    *abi = TRUE;
  } else if (g_str_has_prefix (line, "name=") && note->name == NULL) {
    note->name = g_strdup (line + 5);
  } else if (g_str_has_prefix (line, "types=") && note->types == NULL) {
    note->types = g_strsplit (line + 6, " ", 64);
  } else if (g_str_has_prefix (line, "libs=") && note->libs == NULL) {
    note->libs = g_strdup (line + 5);
  }
}

static gboolean
note_check (const FarElfNote *note, gboolean abi, GError **error)
{
  if (!abi || note->name == NULL || !elf_note_name_fits (note->name) || note->types == NULL ||
      note->types[0] == NULL)
    return elf_note_refuse (error, _ ("its note cannot be read"));
  for (guint i = 0; note->types[i] != NULL && note->abi == FAR_ABI; i++)
    if (!type_fits (note->types[i]))
      return elf_note_refuse (error, _ ("its note names a type of no known kind"));
  return TRUE;
}

static FarElfNote *
note_from_text (const char *text, GError **error)
{
  g_autoptr (FarElfNote) note = g_new0 (FarElfNote, 1);
  g_auto (GStrv) lines = g_strsplit (text, "\n", 16);
  gboolean abi = FALSE;

  for (guint i = 0; lines[i] != NULL; i++)
    note_line (note, lines[i], &abi);
  if (note->libs == NULL)
    note->libs = g_strdup ("");
  return note_check (note, abi, error) ? g_steal_pointer (&note) : NULL;
}

FarElfNote *
far_elf_note_parse (const guint8 *data, gsize size, GError **error)
{
  Bytes desc;
  g_autofree char *text = NULL;

  if (!find_desc ((Bytes){ data, size }, &desc, error))
    return NULL;
  text = g_strndup ((const char *) desc.data, MIN (desc.size, TEXT_MAX));
  if (!g_utf8_validate (text, -1, NULL)) {
    elf_note_refuse (error, _ ("its note cannot be read"));
    return NULL;
  }
  return note_from_text (text, error);
}

FarElfNote *
far_elf_note_read (const char *path, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, &why);

  if (file == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("cannot be read: %s"), why->message);
    return NULL;
  }
  return far_elf_note_parse ((const guint8 *) g_mapped_file_get_contents (file),
                             g_mapped_file_get_length (file), error);
}

void
far_elf_note_free (FarElfNote *note)
{
  g_free (note->name);
  g_strfreev (note->types);
  g_free (note->libs);
  g_free (note);
}
