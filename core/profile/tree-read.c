/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a file to a tree, by libyaml's events. */
#include "config.h"

#include "profile/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include <farwatch/i18n.h>

#include "profile/fault.h"

#define BOM "\xef\xbb\xbf"

typedef struct {
  yaml_parser_t parser;
  FarSource *source;
  GPtrArray *faults;
  guint nodes;
  guint marked_line; /* last line with an anchor, alias or tag: told once a line, a bomb has many */
  gboolean broken;   /* the reading stops */
  gboolean useless;  /* it goes on, to tell more faults, but no tree comes out */
} TreeReader;

static FarYaml *reader_node (TreeReader *reader, const yaml_event_t *event, guint depth);

static void
fault_mark (TreeReader *reader, yaml_mark_t mark, const char *message)
{
  far_fault_add_at (reader->faults, FAR_FAULT_ERROR, reader->source, (guint) mark.line + 1,
                    (guint) mark.column + 1, "%s", message);
}

/* offset: in bytes; the text before it is UTF-8. */
static void
fault_offset (FarSource *source, GPtrArray *faults, gsize offset, const char *message)
{
  const char *line = source->text, *bad = source->text + MIN (offset, source->size);
  guint number = 1;

  for (const char *at = source->text; at < bad; at++)
    if (*at == '\n') {
      number++;
      line = at + 1;
    }
  far_fault_add_at (faults, FAR_FAULT_ERROR, source, number, (guint) g_utf8_strlen (line, bad - line) + 1,
                    "%s", message);
}

static void
fault_parser (TreeReader *reader)
{
  yaml_parser_t *parser = &reader->parser;
  g_autofree char *text = g_strconcat (_ ("no valid YAML: "),
                                       parser->problem != NULL ? parser->problem : _ ("cannot be read"),
                                       parser->context != NULL ? " (" : NULL, parser->context, ")", NULL);

  if (parser->error == YAML_READER_ERROR) /* has no mark, only an offset in bytes */
    fault_offset (reader->source, reader->faults, parser->problem_offset, text);
  else
    fault_mark (reader, parser->problem_mark, text);
  reader->broken = TRUE;
}

/* FALSE: no event, the fault is told. */
static gboolean
reader_next (TreeReader *reader, yaml_event_t *event)
{
  if (reader->broken)
    return FALSE;
  if (yaml_parser_parse (&reader->parser, event))
    return TRUE;
  fault_parser (reader);
  return FALSE;
}

static FarYaml *
node_new (TreeReader *reader, const yaml_event_t *event, FarYamlKind kind)
{
  FarYaml *node = g_new0 (FarYaml, 1);

  node->kind = kind;
  node->source = far_source_ref (reader->source);
  node->line = (guint) event->start_mark.line + 1;
  node->column = (guint) event->start_mark.column + 1;
  if (kind == FAR_YAML_SCALAR)
    return node;
  node->items = g_ptr_array_new_with_free_func ((GDestroyNotify) far_yaml_free);
  if (kind == FAR_YAML_MAP)
    node->keys = g_ptr_array_new_with_free_func ((GDestroyNotify) far_yaml_free);
  return node;
}

static void
refuse_mark (TreeReader *reader, const yaml_event_t *event, const char *message)
{
  reader->useless = TRUE;
  if (reader->marked_line == event->start_mark.line + 1)
    return;
  reader->marked_line = (guint) event->start_mark.line + 1;
  fault_mark (reader, event->start_mark, message);
}

static void
refuse_marks (TreeReader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
              const yaml_char_t *tag)
{
  if (anchor != NULL)
    refuse_mark (reader, event,
                 _ ("anchors and aliases are not taken in a profile; write the value where it is meant"));
  if (tag != NULL)
    refuse_mark (reader, event, _ ("tags are not taken in a profile; the option itself knows its type"));
}

static FarYaml *
reader_scalar (TreeReader *reader, const yaml_event_t *event)
{
  FarYaml *node = node_new (reader, event, FAR_YAML_SCALAR);
  const char *value = (const char *) event->data.scalar.value;

  refuse_marks (reader, event, event->data.scalar.anchor, event->data.scalar.tag);
  if (strlen (value) != event->data.scalar.length)
    fault_mark (reader, event->start_mark, _ ("a NUL character is not taken"));
  node->text = g_strdup (value);
  node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  return node;
}

static FarYaml *
reader_alias (TreeReader *reader, const yaml_event_t *event)
{
  FarYaml *node = node_new (reader, event, FAR_YAML_SCALAR);

  refuse_mark (reader, event,
               _ ("anchors and aliases are not taken in a profile; write the value where it is meant"));
  node->text = g_strdup ("");
  return node;
}

static FarYaml *
reader_list (TreeReader *reader, const yaml_event_t *start, guint depth)
{
  FarYaml *list = node_new (reader, start, FAR_YAML_LIST);
  yaml_event_t event;
  gboolean ended = FALSE;

  refuse_marks (reader, start, start->data.sequence_start.anchor, start->data.sequence_start.tag);
  while (!ended && reader_next (reader, &event)) {
    ended = event.type == YAML_SEQUENCE_END_EVENT;
    if (!ended)
      g_ptr_array_add (list->items, reader_node (reader, &event, depth + 1));
    yaml_event_delete (&event);
  }
  return list;
}

/* Takes key and value. */
static void
map_add (TreeReader *reader, FarYaml *map, GHashTable *seen, FarYaml *key, FarYaml *value)
{
  const FarYaml *first = key->kind == FAR_YAML_SCALAR ? g_hash_table_lookup (seen, key->text) : NULL;

  if (key->kind == FAR_YAML_SCALAR && key->plain && g_str_equal (key->text, "<<"))
    far_fault_add (reader->faults, FAR_FAULT_ERROR, key,
                   _ ("merge keys are not taken in a profile; write the keys where they are meant"));
  if (key->kind == FAR_YAML_SCALAR && first == NULL) {
    g_ptr_array_add (map->keys, key);
    g_ptr_array_add (map->items, value);
    g_hash_table_insert (seen, key->text, key);
    return;
  }
  if (first != NULL)
    far_fault_add (reader->faults, FAR_FAULT_ERROR, key, _ ("duplicate key '%s'; it stands first in line %u"),
                   key->text, first->line);
  else
    far_fault_add (reader->faults, FAR_FAULT_ERROR, key, _ ("a key must be a word, not %s"),
                   far_yaml_kind_name (key));
  far_yaml_free (key);
  far_yaml_free (value);
}

static FarYaml *
reader_value (TreeReader *reader, guint depth)
{
  yaml_event_t event;
  FarYaml *value;

  if (!reader_next (reader, &event))
    return far_yaml_scalar ("");
  value = reader_node (reader, &event, depth);
  yaml_event_delete (&event);
  return value;
}

static FarYaml *
reader_map (TreeReader *reader, const yaml_event_t *start, guint depth)
{
  FarYaml *map = node_new (reader, start, FAR_YAML_MAP);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  yaml_event_t event;
  gboolean ended = FALSE;

  refuse_marks (reader, start, start->data.mapping_start.anchor, start->data.mapping_start.tag);
  while (!ended && reader_next (reader, &event)) {
    ended = event.type == YAML_MAPPING_END_EVENT;
    if (!ended) {
      FarYaml *key = reader_node (reader, &event, depth + 1);

      map_add (reader, map, seen, key, reader_value (reader, depth + 1));
    }
    yaml_event_delete (&event);
  }
  return map;
}

/* Stops the reading: what follows cannot be trusted to be small. */
static FarYaml *
reader_too_much (TreeReader *reader, const yaml_event_t *event, const char *message)
{
  if (!reader->broken)
    fault_mark (reader, event->start_mark, message);
  reader->broken = TRUE;
  return far_yaml_scalar ("");
}

static FarYaml *
reader_node (TreeReader *reader, const yaml_event_t *event, guint depth)
{
  if (depth > FAR_YAML_DEPTH_MAX)
    return reader_too_much (reader, event, _ ("nested deeper than 32 levels; that is no profile"));
  if (++reader->nodes > FAR_YAML_NODES_MAX)
    return reader_too_much (reader, event, _ ("more than 20000 values; split the profile"));
  if (event->type == YAML_ALIAS_EVENT)
    return reader_alias (reader, event);
  if (event->type == YAML_SEQUENCE_START_EVENT)
    return reader_list (reader, event, depth);
  if (event->type == YAML_MAPPING_START_EVENT)
    return reader_map (reader, event, depth);
  return reader_scalar (reader, event);
}

/* One event before the tree: the end of an empty file is a fault of its own. */
static FarYaml *
reader_event (TreeReader *reader, const yaml_event_t *event, FarYaml *tree)
{
  switch (event->type) {
  case YAML_STREAM_START_EVENT:
  case YAML_DOCUMENT_END_EVENT:
    return tree;
  case YAML_DOCUMENT_START_EVENT:
    if (tree != NULL)
      far_yaml_free (reader_too_much (reader, event, _ ("a second document begins; a profile is one")));
    return tree;
  case YAML_STREAM_END_EVENT:
    if (tree == NULL)
      far_fault_add_at (reader->faults, FAR_FAULT_ERROR, reader->source, 0, 0, "%s",
                        _ ("the file is empty; a profile begins with 'farwatch: 1'"));
    return tree;
  default:
    return reader_node (reader, event, 1);
  }
}

static FarYaml *
reader_run (TreeReader *reader)
{
  g_autoptr (FarYaml) tree = NULL;
  yaml_event_t event;
  gboolean ended = FALSE;

  while (!ended && reader_next (reader, &event)) {
    ended = event.type == YAML_STREAM_END_EVENT;
    tree = reader_event (reader, &event, g_steal_pointer (&tree));
    yaml_event_delete (&event);
  }
  return reader->broken || reader->useless ? NULL : g_steal_pointer (&tree);
}

/* A tab between the line's begin and its first other character. Blank and comment lines may have them. */
static gboolean
check_tabs (FarSource *source, GPtrArray *faults)
{
  const char *line = source->text, *end = source->text + source->size;
  gboolean good = TRUE;

  for (guint number = 1; line < end; number++) {
    const char *stop = memchr (line, '\n', (gsize) (end - line));
    gsize length = (gsize) ((stop != NULL ? stop : end) - line);
    gsize blank = 0, tab;

    while (blank < length && strchr (" \t", line[blank]) != NULL)
      blank++;
    for (tab = 0; tab < blank && line[tab] != '\t'; tab++)
      continue;
    if (tab < blank && blank < length && strchr ("#\r", line[blank]) == NULL) {
      far_fault_add_at (faults, FAR_FAULT_ERROR, source, number, (guint) tab + 1, "%s",
                        _ ("a tab in the indentation; YAML takes spaces only"));
      good = FALSE;
    }
    line += length + 1;
  }
  return good;
}

static gboolean
check_utf8 (FarSource *source, GPtrArray *faults)
{
  g_autofree char *text = NULL;
  const char *bad;

  if (g_utf8_validate_len (source->text, source->size, &bad))
    return TRUE;
  text = g_strdup_printf (_ ("the byte 0x%02x is no UTF-8 text; save the file as UTF-8"), (guchar) *bad);
  fault_offset (source, faults, (gsize) (bad - source->text), text);
  return FALSE;
}

FarYaml *
far_yaml_parse (FarSource *source, const char *text, gsize size, GPtrArray *faults)
{
  TreeReader reader = { .source = source, .faults = faults };
  FarYaml *tree;

  if (size > FAR_YAML_BYTES_MAX) {
    far_fault_add_at (faults, FAR_FAULT_ERROR, source, 0, 0, "%s",
                      _ ("larger than 1 MiB; that is no profile"));
    return NULL;
  }
  /* Some editors put it there, nobody sees it. */
  if (size >= strlen (BOM) && memcmp (text, BOM, strlen (BOM)) == 0) {
    text += strlen (BOM);
    size -= strlen (BOM);
  }
  g_free (source->text);
  source->text = g_malloc (size + 1);
  if (size > 0)
    memcpy (source->text, text, size);
  source->text[size] = '\0';
  source->size = size;
  if (!check_utf8 (source, faults) || !check_tabs (source, faults))
    return NULL;
  if (!yaml_parser_initialize (&reader.parser))
    g_error ("out of memory");
  yaml_parser_set_encoding (&reader.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string (&reader.parser, (const unsigned char *) source->text, source->size);
  tree = reader_run (&reader);
  yaml_parser_delete (&reader.parser);
  return tree;
}

/* At most one byte more than is taken, whatever the file is. -1: errno says why. */
static gssize
read_bounded (const char *path, char *into)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  gsize got = 0;
  gssize n = 1;

  if (fd < 0)
    return -1;
  while (n > 0 && got <= FAR_YAML_BYTES_MAX) {
    n = read (fd, into + got, FAR_YAML_BYTES_MAX + 1 - got);
    got += n > 0 ? (gsize) n : 0;
  }
  if (n < 0) {
    int why = errno;

    close (fd);
    errno = why;
    return -1;
  }
  close (fd);
  return (gssize) got;
}

FarYaml *
far_yaml_read (FarSource *source, GPtrArray *faults)
{
  g_autofree char *text = g_malloc (FAR_YAML_BYTES_MAX + 1);
  gssize size = read_bounded (source->path, text);

  if (size < 0) {
    if (errno == EACCES)
      far_fault_add_at (faults, FAR_FAULT_ERROR, source, 0, 0,
                        _ ("cannot be read: %s; run this as root or as the daemon's user"),
                        g_strerror (errno));
    else
      far_fault_add_at (
          faults, FAR_FAULT_ERROR, source, 0, 0,
          _ ("cannot be read: %s; name the file of a profile, as in /etc/farwatch/cloud-server.yaml"),
          g_strerror (errno));
    return NULL;
  }
  return far_yaml_parse (source, text, (gsize) size, faults);
}
