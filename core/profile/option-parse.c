/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Option structs: making, filling one value by its table row, freeing. */
#include "config.h"

#include "profile/option-check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include <farwatch/error.h>
#include <farwatch/gate.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>

#include "base/suggest.h"
#include "stream/unix-socket.h"

#define TEXT_MAX 4096

/* In front of each options struct. */
typedef struct {
  gint refs;
  const FarOption *table;
} Head;

#define HEAD_SIZE 16
G_STATIC_ASSERT (sizeof (Head) <= HEAD_SIZE);

static Head *
head_of (gconstpointer options)
{
  return (Head *) ((char *) options - HEAD_SIZE);
}

gpointer
far_options_new (const FarOption *table, gsize size)
{
  char *block = g_malloc0 (HEAD_SIZE + size);
  Head *head = (Head *) block;

  head->refs = 1;
  head->table = table;
  return block + HEAD_SIZE;
}

gconstpointer
far_options_ref (gconstpointer options)
{
  g_atomic_int_inc (&head_of (options)->refs);
  return options;
}

static void
option_clear (const FarOption *option, gpointer place)
{
  switch (option->type) {
  case FAR_OPT_STRING:
  case FAR_OPT_PATH:
  case FAR_OPT_ADDRESS:
  case FAR_OPT_SECRET:
  case FAR_OPT_REF:
    g_clear_pointer ((char **) place, g_free);
    break;
  case FAR_OPT_LIST:
  case FAR_OPT_REFS:
    g_clear_pointer ((GStrv *) place, g_strfreev);
    break;
  default:
    break;
  }
}

void
far_options_unref (gconstpointer options)
{
  Head *head;

  if (options == NULL)
    return;
  head = head_of (options);
  if (!g_atomic_int_dec_and_test (&head->refs))
    return;
  for (const FarOption *option = head->table; option != NULL && option->type != FAR_OPT_END; option++)
    option_clear (option, (char *) options + option->offset);
  g_free (head);
}

G_GNUC_PRINTF (2, 3)
static gboolean
invalid (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (FAR_ERROR, FAR_ERROR_INVALID, format, args);
  va_end (args);
  return FALSE;
}

static int
word_in (const char *text, const char *const *words)
{
  for (int i = 0; words != NULL && words[i] != NULL; i++)
    if (g_str_equal (text, words[i]))
      return i;
  return -1;
}

static const char *const true_words[] = { "true", "yes", "on", NULL };
static const char *const false_words[] = { "false", "no", "off", NULL };
/* What YAML readers take for a boolean or nothing. */
static const char *const special_words[] = {
  "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no", "No", "NO",
  "on",   "On",   "ON",   "off",   "Off",   "OFF",   "y",   "Y",   "n",   "N",  NULL,
};

static gboolean
fill_bool (const FarYaml *value, gboolean *place, GError **error)
{
  if (!value->plain || (word_in (value->text, true_words) < 0 && word_in (value->text, false_words) < 0))
    return invalid (error, _ ("'%s' is neither true nor false"), value->text);
  *place = word_in (value->text, true_words) >= 0;
  return TRUE;
}

static gboolean
in_bounds (const FarOption *option, gint64 number)
{
  return (option->min == 0 && option->max == 0) || (number >= option->min && number <= option->max);
}

static gboolean
fill_int (const FarOption *option, const FarYaml *value, gint64 *place, GError **error)
{
  const char *digits = value->text + (value->text[0] == '-');

  if (digits[0] == '0' && g_ascii_isdigit (digits[1]))
    return invalid (error, _ ("'%s' begins with a zero, which some read as octal; write it without"),
                    value->text);
  if (value->text[0] == '+' ||
      !g_ascii_string_to_signed (value->text, 10, G_MININT64, G_MAXINT64, place, NULL))
    return invalid (error, _ ("'%s' is no whole number"), value->text);
  if (!in_bounds (option, *place))
    return invalid (error, _ ("%s is out of bounds; it goes from %" PRId64 " to %" PRId64), value->text,
                    option->min, option->max);
  return TRUE;
}

static gboolean
fill_double (const FarYaml *value, double *place, GError **error)
{
  char *end = NULL;

  *place = g_ascii_strtod (value->text, &end);
  if (end == value->text || *end != '\0' || !isfinite (*place) || g_ascii_isspace (value->text[0]) ||
      strspn (value->text, "+-.0123456789eE") != strlen (value->text))
    return invalid (error, _ ("'%s' is no number"), value->text);
  return TRUE;
}

static gboolean
fill_text (const FarYaml *value, char **place, GError **error)
{
  if (value->plain && word_in (value->text, special_words) >= 0)
    return invalid (error, _ ("YAML takes %s for true or false; write \"%s\" if the word is meant"),
                    value->text, value->text);
  if (strlen (value->text) > TEXT_MAX)
    return invalid (error, _ ("the text is longer than 4096 bytes"));
  *place = g_strdup (value->text);
  return TRUE;
}

static gboolean
fill_choice (const FarOption *option, const FarYaml *value, int *place, GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_autofree char *all = NULL;
  const char *near;
  int index = word_in (value->text, option->choices);

  if (index >= 0) {
    *place = index;
    return TRUE;
  }
  for (int i = 0; option->choices != NULL && option->choices[i] != NULL; i++)
    g_ptr_array_add (words, (char *) option->choices[i]);
  near = far_suggest (value->text, words);
  if (near != NULL)
    return invalid (error, _ ("'%s' is no choice; did you mean '%s'?"), value->text, near);
  all = far_join_words (words);
  return invalid (error, _ ("'%s' is no choice; there are: %s"), value->text, all);
}

static gboolean
fill_duration (const FarOption *option, const FarYaml *value, gint64 *place, GError **error)
{
  g_autofree char *low = far_format_duration (option->min), *high = far_format_duration (option->max);

  if (!far_parse_duration (value->text, place, error))
    return FALSE;
  return in_bounds (option, *place) ||
         invalid (error, _ ("%s is out of bounds; it goes from %s to %s"), value->text, low, high);
}

static gboolean
fill_size (const FarOption *option, const FarYaml *value, gint64 *place, GError **error)
{
  if (!far_parse_size (value->text, place, error))
    return FALSE;
  return in_bounds (option, *place) ||
         invalid (error, _ ("%s is out of bounds; it goes from %" PRId64 " to %" PRId64 " bytes"),
                  value->text, option->min, option->max);
}

static gboolean
fill_range (const FarOption *option, const FarYaml *value, FarRange *place, GError **error)
{
  if (!far_parse_range (value->text, place, error))
    return FALSE;
  return (in_bounds (option, place->low) && in_bounds (option, place->high)) ||
         invalid (error, _ ("%s is out of bounds; it goes from %" PRId64 " to %" PRId64), value->text,
                  option->min, option->max);
}

static gboolean
fill_path (const FarYaml *value, const char *state_dir, char **place, GError **error)
{
  g_autofree char *text = NULL;

  if (!fill_text (value, &text, error))
    return FALSE;
  if (g_path_is_absolute (text) || state_dir == NULL)
    *place = g_steal_pointer (&text);
  else
    *place = g_build_filename (state_dir, text, NULL);
  return TRUE;
}

static gboolean
fill_address (const FarOption *option, const FarYaml *value, char **place, GError **error)
{
  gboolean at_path = (option->flags & FAR_OPT_UNIX) && g_str_has_prefix (value->text, "unix:");
  g_autofree char *host = NULL;
  guint16 port;

  if (at_path && !far_unix_path_ok (value->text + strlen ("unix:"), error))
    return FALSE;
  if (!at_path && !far_parse_address (value->text, &host, &port, error))
    return FALSE;
  *place = g_strdup (value->text);
  return TRUE;
}

/* As far as every protocol agrees: the plugin judges the rest. */
static gboolean
fill_url (const FarOption *option, const FarYaml *value, char **place, GError **error)
{
  g_autofree char *schemes = g_strjoinv (_ (":// or "), (char **) option->choices), *host = NULL;
  guint16 port;

  for (guint i = 0; option->choices[i] != NULL; i++) {
    g_autofree char *begin = g_strconcat (option->choices[i], "://", NULL);
    const char *rest = value->text + strlen (begin);
    g_autofree char *address = g_str_has_prefix (value->text, begin) ? g_strndup (rest, strcspn (rest, "/"))
                                                                     : NULL;
    g_autofree char *with_port = address != NULL ? g_strconcat (address, ":1", NULL) : NULL;

    if (address != NULL && (far_parse_address (address, &host, &port, NULL) ||
                            far_parse_address (with_port, &host, &port, NULL)))
      return fill_text (value, place, error);
  }
  return invalid (error, _ ("'%s' is not meant; write %s://host:port"), value->text, schemes);
}

/* The value may be the secret itself: it is never repeated. */
static gboolean
fill_secret (const FarYaml *value, char **place, GError **error)
{
  if (!far_label_ok (value->text, TRUE))
    return invalid (error, _ ("the name of a credential is meant, not its text; put the text into the file "
                              "credentials/NAME of the state directory "
                              "(mode 0600) and write NAME here"));
  *place = g_strdup (value->text);
  return TRUE;
}

static gboolean
fill_scalar (const FarOption *option, const FarYaml *value, const char *state_dir, gpointer place,
             GError **error)
{
  switch (option->type) {
  case FAR_OPT_BOOL:
    return fill_bool (value, place, error);
  case FAR_OPT_INT:
    return fill_int (option, value, place, error);
  case FAR_OPT_DOUBLE:
    return fill_double (value, place, error);
  case FAR_OPT_CHOICE:
    return fill_choice (option, value, place, error);
  case FAR_OPT_DURATION:
    return fill_duration (option, value, place, error);
  case FAR_OPT_SIZE:
    return fill_size (option, value, place, error);
  case FAR_OPT_RANGE:
    return fill_range (option, value, place, error);
  case FAR_OPT_PATH:
    return fill_path (value, state_dir, place, error);
  case FAR_OPT_ADDRESS:
    return fill_address (option, value, place, error);
  case FAR_OPT_SECRET:
    return fill_secret (value, place, error);
  case FAR_OPT_STRING:
    return option->flags & FAR_OPT_URL ? fill_url (option, value, place, error)
                                       : fill_text (value, place, error);
  default:
    return fill_text (value, place, error);
  }
}

static gboolean
fill_list (const FarYaml *value, GStrv *place, GError **error)
{
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < value->items->len; i++) {
    const FarYaml *item = value->items->pdata[i];
    char *text = NULL;

    if (item->kind != FAR_YAML_SCALAR)
      return invalid (error, _ ("entry %u is %s, a value is meant"), i + 1, far_yaml_kind_name (item));
    if (!fill_text (item, &text, error))
      return FALSE;
    g_ptr_array_add (items, text);
  }
  g_ptr_array_add (items, NULL);
  *place = (GStrv) g_ptr_array_steal (items, NULL);
  return TRUE;
}

static gboolean
check_nets (const FarOption *option, GStrv list, GError **error)
{
  for (guint i = 0; (option->flags & FAR_OPT_NETS) && list[i] != NULL; i++) {
    GError *fault = NULL;

    far_address_in ("0.0.0.0", list[i], &fault);
    if (fault != NULL) {
      g_propagate_error (error, fault);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
far_option_fill (const FarOption *option, const FarYaml *value, const char *state_dir, gpointer options,
                 GError **error)
{
  gboolean list = option->type == FAR_OPT_LIST || option->type == FAR_OPT_REFS;
  gpointer place = (char *) options + option->offset;

  option_clear (option, place);
  if (far_yaml_is_nothing (value))
    return invalid (error, _ ("there is no value; write one or take the key out"));
  if (list && value->kind != FAR_YAML_LIST)
    return invalid (error, _ ("a list is meant, as in [a, b], not %s"), far_yaml_kind_name (value));
  if (list)
    return fill_list (value, place, error) && check_nets (option, *(GStrv *) place, error);
  if (value->kind != FAR_YAML_SCALAR)
    return invalid (error, _ ("one value is meant, not %s"), far_yaml_kind_name (value));
  return fill_scalar (option, value, state_dir, place, error);
}
