// From JSON to a definition.
#include "api/job_document.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "api/job_check.h"
#include "pg/guard.h"
#include "pg/oid_array.h"
#include "pg/text_array.h"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
}

namespace ratchet::api {
namespace {

using Kind = JsonMember::Kind;

[[noreturn]] void Refuse(const std::string& message, std::string hint = {}) {
  throw pg::Error(ERRCODE_INVALID_PARAMETER_VALUE, message, std::move(hint));
}

// While it exists, an error of the server says which job and which key it is about.
class ElementContext {
 public:
  ElementContext(const char* title, const char* key) : title_(title), key_(key) {
    callback_ = {error_context_stack, Describe, this};
    error_context_stack = &callback_;
  }
  ElementContext(const ElementContext&) = delete;
  ElementContext& operator=(const ElementContext&) = delete;
  ~ElementContext() { error_context_stack = callback_.previous; }

 private:
  static void Describe(void* argument) {
    const auto* self = static_cast<const ElementContext*>(argument);
    errcontext("%s of %s", self->key_, self->title_);
  }

  const char* title_;
  const char* key_;
  ErrorContextCallback callback_;
};

// ---- Reading, for use inside pg::Call ----------------------------------------------------------

std::string_view StringOf(const JsonbValue& value) {
  return {value.val.string.val, static_cast<std::size_t>(value.val.string.len)};
}

void ReadStrings(JsonbContainer* array, JsonMember* member) {
  JsonbIterator* iterator = JsonbIteratorInit(array);
  JsonbValue value;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
    if (token != WJB_ELEM) {
      continue;
    }
    if (value.type == jbvString) {
      member->strings.emplace_back(StringOf(value));
    } else {
      member->all_strings = false;
    }
  }
}

void ReadValue(JsonbValue* value, JsonMember* member) {
  member->all_strings = true;
  switch (value->type) {
    case jbvString:
      member->kind = Kind::kString;
      member->text = StringOf(*value);
      return;
    case jbvBinary: {
      JsonbContainer* container = value->val.binary.data;
      member->kind = JsonContainerIsArray(container) ? Kind::kArray : Kind::kObject;
      member->text = JsonbToCString(nullptr, container, value->val.binary.len);
      if (member->kind == Kind::kArray) {
        ReadStrings(container, member);
      }
      return;
    }
    default: {
      member->kind = value->type == jbvBool ? Kind::kBoolean : Kind::kNumber;
      Jsonb* scalar = JsonbValueToJsonb(value);
      member->text = JsonbToCString(nullptr, &scalar->root, static_cast<int>(VARSIZE(scalar)));
      return;
    }
  }
}

void ReadObject(JsonbContainer* object, JobElement* element) {
  JsonbIterator* iterator = JsonbIteratorInit(object);
  JsonbValue value;
  JsonbIteratorToken token;
  JsonMember member;
  while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
    if (token == WJB_KEY) {
      member = JsonMember{};
      member.key = StringOf(value);
    } else if (token == WJB_VALUE && value.type != jbvNull) {
      ReadValue(&value, &member);
      element->members.push_back(member);
    }
  }
}

// False at the first element that is no object; *elements then ends with an empty one.
bool ReadElements(Jsonb* document, std::vector<JobElement>* elements) {
  JsonbIterator* iterator = JsonbIteratorInit(&document->root);
  JsonbValue value;
  JsonbIteratorToken token;
  while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE) {
    if (token != WJB_ELEM) {
      continue;
    }
    JobElement& element = elements->emplace_back();
    if (value.type != jbvBinary || !JsonContainerIsObject(value.val.binary.data)) {
      return false;
    }
    ReadObject(value.val.binary.data, &element);
  }
  return true;
}

// ---- Values ------------------------------------------------------------------------------------

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return "a string";
    case Kind::kNumber:
      return "a number";
    case Kind::kBoolean:
      return "a boolean";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      break;
  }
  return "an object";
}

struct Expected {
  Kind kind;
  const char* what;
};

Expected ExpectedFor(Oid type) {
  switch (type) {
    case INT4OID:
      return {Kind::kNumber, "a whole number"};
    case FLOAT8OID:
      return {Kind::kNumber, "a number"};
    case BOOLOID:
      return {Kind::kBoolean, "true or false"};
    case TEXTARRAYOID:
      return {Kind::kArray, "an array of strings"};
    case REGCLASSARRAYOID:
      return {Kind::kArray, "an array of the names of tables"};
    case REGROLEARRAYOID:
      return {Kind::kArray, "an array of the names of roles"};
    case INTERVALOID:
      return {Kind::kString, "a string such as \"5 minutes\""};
    case TIMESTAMPTZOID:
      return {Kind::kString, "a string such as \"2030-01-01 00:00:00+00\""};
    case REGROLEOID:
      return {Kind::kString, "the name of a role"};
    default:
      return {Kind::kString, "a string"};
  }
}

void RequireKind(const JsonMember& member, Oid type) {
  const Expected expected = ExpectedFor(type);
  if (type == JSONBOID || (member.kind == expected.kind && member.all_strings)) {
    return;
  }
  const bool string = member.kind == Kind::kString;
  Refuse(member.key + " must be " + expected.what + ", not " + NameOf(member.kind) + ": " +
         (string ? "\"" : "") + member.text + (string ? "\"" : ""));
}

// For use inside pg::Call.
Datum RolesOf(const std::vector<std::string>& names) {
  auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (names.size() + 1)));
  int count = 0;
  for (const std::string& name : names) {
    values[count++] = ObjectIdGetDatum(get_role_oid(name.c_str(), false));
  }
  return PointerGetDatum(
      construct_array(values, count, REGROLEOID, sizeof(Oid), true, TYPALIGN_INT));
}

// For use inside pg::Call.
Datum ValueIn(const JsonMember& member, Oid type) {
  char* text = pstrdup(member.text.c_str());
  const Datum string = CStringGetDatum(text);
  switch (type) {
    case INT4OID:
      return DirectFunctionCall1(int4in, string);
    case FLOAT8OID:
      return DirectFunctionCall1(float8in, string);
    case BOOLOID:
      return BoolGetDatum(text[0] == 't');
    case INTERVALOID:
      return DirectFunctionCall3(interval_in, string, ObjectIdGetDatum(InvalidOid),
                                 Int32GetDatum(-1));
    case TIMESTAMPTZOID:
      return DirectFunctionCall3(timestamptz_in, string, ObjectIdGetDatum(InvalidOid),
                                 Int32GetDatum(-1));
    case REGROLEOID:
      return ObjectIdGetDatum(get_role_oid(text, false));
    case TEXTARRAYOID:
      return pg::TextArrayOf(member.strings);
    case REGROLEARRAYOID:
      return RolesOf(member.strings);
    case REGCLASSARRAYOID: {
      auto* values = static_cast<Datum*>(palloc(sizeof(Datum) * (member.strings.size() + 1)));
      int count = 0;
      for (const std::string& name : member.strings) {
        values[count++] = DirectFunctionCall1(regclassin, CStringGetDatum(name.c_str()));
      }
      return PointerGetDatum(
          construct_array(values, count, REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT));
    }
    case JSONBOID: {
      StringInfoData json;
      initStringInfo(&json);
      if (member.kind == Kind::kString) {
        escape_json(&json, text);
      } else {
        appendStringInfoString(&json, text);
      }
      return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
    }
    default:
      return CStringGetTextDatum(text);
  }
}

void SetOption(const JobElement& element, const JsonMember& member, const Option& option,
               const JobColumns& columns, catalog::JobDefinition* job) {
  option.set(job, ValueOf(element, member, columns.Of(option).type), option.name);
}

std::string* TextOf(const std::string& key, catalog::JobDefinition* job) {
  if (key == "schedule") {
    return &job->schedule;
  }
  if (key == "command") {
    return &job->command;
  }
  if (key == "source") {
    return &job->source;
  }
  return key == "action" ? &job->action : nullptr;
}

void RequireWork(const JobElement& element) {
  if (!element.Gives("schedule")) {
    Refuse("schedule is missing", "A job that runs only when it is asked to has \"@manual\".");
  }
  const bool batch = element.Gives("source") || element.Gives("action");
  if (element.Gives("command") == batch) {
    Refuse(batch ? "command cannot be given together with source and action" : "command is missing",
           "A job has a command, or is a batch job and has a source and an action.");
  }
  if (batch && !(element.Gives("source") && element.Gives("action"))) {
    Refuse(std::string(element.Gives("source") ? "action" : "source") + " is missing",
           "A batch job has a source and an action.");
  }
}

void RequireKnown(const JobElement& element, const JsonMember& member, const Option* option) {
  if (option == nullptr) {
    Refuse("unknown key \"" + member.key + "\"",
           "The keys are job_name, schedule, command, source, action, " + OptionNames(Options()) +
               ".");
  }
  const std::span<const Option> batch = BatchOptions();
  if (!element.Gives("source") && option >= batch.data()) {
    Refuse(member.key + " is an option of batch jobs",
           "A batch job has a source and an action in place of a command.");
  }
}

// "job_name" or "queue_name", which says what it is.
const JsonMember* FindName(const JobElement& element, int number) {
  const JsonMember* name = element.Find("job_name");
  const JsonMember* queue_name = element.Find("queue_name");
  if (name != nullptr && queue_name != nullptr) {
    Refuse("element " + std::to_string(number) + " of jobs has both a job_name and a queue_name");
  }
  name = name != nullptr ? name : queue_name;
  if (name == nullptr || name->kind != Kind::kString) {
    Refuse("element " + std::to_string(number) +
           " of jobs must have a job_name or a queue_name that is a string");
  }
  return name;
}

}  // namespace

std::string JobElement::Title() const {
  return (is_queue ? "queue \"" : "job \"") + job_name + "\"";
}

Datum ValueOf(const JobElement& element, const JsonMember& member, Oid type) {
  RequireKind(member, type);
  const std::string title = element.Title();
  const ElementContext context(title.c_str(), member.key.c_str());
  return pg::Call([&] { return ValueIn(member, type); });
}

std::string RequireString(const JsonMember& member) {
  RequireKind(member, TEXTOID);
  return member.text;
}

const JsonMember* JobElement::Find(const char* key) const {
  for (const JsonMember& member : members) {
    if (member.key == key) {
      return &member;
    }
  }
  return nullptr;
}

std::vector<JobElement> ReadDocument(Datum jsonb) {
  std::vector<JobElement> elements;
  bool is_array = false;
  bool are_objects = false;
  pg::Call([&] {
    Jsonb* document = DatumGetJsonbP(jsonb);
    is_array = JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document);
    are_objects = is_array && ReadElements(document, &elements);
  });
  const char* hint = "ratchet.export_jobs() shows what it looks like.";
  if (!is_array) {
    Refuse("jobs must be an array of objects", hint);
  }
  if (!are_objects) {
    Refuse("element " + std::to_string(elements.size()) + " of jobs must be an object", hint);
  }
  std::set<std::string> names;
  int number = 0;
  for (JobElement& element : elements) {
    number++;
    const JsonMember* name = FindName(element, number);
    element.job_name = name->text;
    element.is_queue = name->key == "queue_name";
    std::erase_if(element.members, [](const JsonMember& member) {
      return member.key == "job_name" || member.key == "queue_name";
    });
    if (!names.insert(element.Title()).second) {
      Refuse(element.Title() + " appears twice in jobs");
    }
  }
  return elements;
}

catalog::JobDefinition DefinitionOf(const JobElement& element, const JobColumns& columns) {
  catalog::JobDefinition job;
  job.job_name = element.job_name;
  for (const JsonMember& member : element.members) {
    if (std::string* text = TextOf(member.key, &job)) {
      RequireKind(member, TEXTOID);
      *text = RequireText(member.text, member.key.c_str());
    } else {
      const Option* option = FindOption(member.key);
      RequireKnown(element, member, option);
      SetOption(element, member, *option, columns, &job);
    }
  }
  RequireWork(element);
  return job;
}

}  // namespace ratchet::api
