// The way from Python to the kernels: a call costs what reading its arguments costs. Compiled into the library where
// Python's headers are there; gpunet/native/plain.py does the same through ctypes where they are not.
//
//   Function(address, name, described=False)
//                                 calls a kernel with arrays, ints, floats, None, and tuples or lists of them
//   Guard(function, ...)          calls an op's Python function if its arrays are of a kind that kernels take
//   capture(function, ...)        the kernel calls that a function makes, kept instead of carried out
//   Program(steps)                carries captured calls out again, all from one call
//   empty(shape, dtype)           numpy.empty, from memory that other arrays have left (memory.h)
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>
#include <structmember.h>

#include <cstring>
#include <vector>

#include <pthread.h>

#include "../args.h"
#include "memory.h"

using gpunet::cpu::Arg;
using gpunet::cpu::Array;

namespace {

using Entry = void (*)(const Arg*);

// Below this many elements a kernel is over before another Python thread would have woken up.
constexpr npy_intp LONG_ENOUGH = 8192;
constexpr int MOST_DESCRIBED = 8;

// ---- arguments ---------------------------------------------------------------------------------------------------------

// One call's arguments: room for most on the stack, tuples' elements behind the arguments themselves.
struct Packed {
  Arg few[48];
  std::vector<Arg> many;
  Arg* first = few;
  npy_intp largest = 0;  // elements of the largest array
  bool described = false;
  int arrays = 0;
  Array descriptions[MOST_DESCRIBED];
};

inline bool pack_one(PyObject* value, Arg* to, npy_intp* largest) {
  to->i = 0;
  if (PyArray_Check(value)) {
    PyArrayObject* array = reinterpret_cast<PyArrayObject*>(value);
    to->p = PyArray_DATA(array);
    const npy_intp size = PyArray_SIZE(array);
    if (size > *largest) *largest = size;
    return true;
  }
  if (PyLong_Check(value)) {  // also bools
    to->i = PyLong_AsLongLong(value);
    return to->i != -1 || !PyErr_Occurred();
  }
  if (PyFloat_Check(value)) {
    to->d = PyFloat_AS_DOUBLE(value);
    return true;
  }
  if (value == Py_None) {
    to->p = nullptr;
    return true;
  }
  if (PyIndex_Check(value)) {
    to->i = PyNumber_AsSsize_t(value, PyExc_OverflowError);
    return to->i != -1 || !PyErr_Occurred();
  }
  to->d = PyFloat_AsDouble(value);
  if (to->d == -1.0 && PyErr_Occurred()) {
    PyErr_Format(PyExc_TypeError, "a native kernel takes arrays, numbers, None and tuples of them, not %s",
                 Py_TYPE(value)->tp_name);
    return false;
  }
  return true;
}

inline bool describe(PyObject* value, Arg* to, Packed& packed) {
  const bool is_array = PyArray_Check(value);
  if (!is_array && !PyFloat_Check(value)) return pack_one(value, to, &packed.largest);
  if (packed.arrays == MOST_DESCRIBED) {
    PyErr_Format(PyExc_TypeError, "a native kernel takes at most %d described arrays", MOST_DESCRIBED);
    return false;
  }
  Array& own = packed.descriptions[packed.arrays++];
  to->p = &own;
  if (!is_array) {
    own = {nullptr, 0, nullptr, nullptr, sizeof(double), NPY_DOUBLE, PyFloat_AS_DOUBLE(value)};
    own.data = &own.number;
    return true;
  }
  PyArrayObject* array = reinterpret_cast<PyArrayObject*>(value);
  static_assert(sizeof(npy_intp) == sizeof(int64_t));
  own.data = PyArray_DATA(array);
  own.ndim = PyArray_NDIM(array);
  own.shape = reinterpret_cast<const int64_t*>(PyArray_DIMS(array));
  own.strides = reinterpret_cast<const int64_t*>(PyArray_STRIDES(array));
  own.itemsize = PyArray_ITEMSIZE(array);
  own.type = PyArray_TYPE(array);
  const npy_intp size = PyArray_SIZE(array);
  if (size > packed.largest) packed.largest = size;
  return true;
}

inline bool is_sequence(PyObject* value) { return PyTuple_Check(value) || PyList_Check(value); }

bool pack(PyObject* const* args, Py_ssize_t count, Packed& to) {
  Py_ssize_t total = count;
  for (Py_ssize_t i = 0; i < count; i++)
    if (is_sequence(args[i])) total += PySequence_Fast_GET_SIZE(args[i]);
  if (total > static_cast<Py_ssize_t>(sizeof(to.few) / sizeof(Arg))) {
    to.many.resize(total);
    to.first = to.many.data();
  }
  Arg* next = to.first + count;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!is_sequence(args[i])) {
      if (!(to.described ? describe(args[i], to.first + i, to) : pack_one(args[i], to.first + i, &to.largest))) return false;
      continue;
    }
    to.first[i].p = next;
    PyObject** elements = PySequence_Fast_ITEMS(args[i]);
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(args[i]);
    for (Py_ssize_t j = 0; j < size; j++)
      if (!pack_one(elements[j], next++, &to.largest)) return false;
  }
  return true;
}

// ---- captured calls ----------------------------------------------------------------------------------------------------

struct Call {
  PyObject_HEAD
  Entry entry;
  Arg* args;
  Array* descriptions;
  PyObject* kept;  // the arguments, so that their arrays live
};

void call_dealloc(PyObject* self) {
  Call* call = reinterpret_cast<Call*>(self);
  PyMem_Free(call->args);
  PyMem_Free(call->descriptions);
  Py_XDECREF(call->kept);
  Py_TYPE(self)->tp_free(self);
}

PyTypeObject call_type = {PyVarObject_HEAD_INIT(nullptr, 0) "gpunet_native.Call"};

PyObject* keep_call(Entry entry, PyObject* const* args, Py_ssize_t count, const Packed& packed) {
  Py_ssize_t total = count;
  for (Py_ssize_t i = 0; i < count; i++)
    if (is_sequence(args[i])) total += PySequence_Fast_GET_SIZE(args[i]);
  Call* call = PyObject_New(Call, &call_type);
  if (!call) return nullptr;
  call->entry = entry;
  call->kept = PyTuple_New(count);
  call->args = static_cast<Arg*>(PyMem_Malloc(sizeof(Arg) * (total ? total : 1)));
  call->descriptions = static_cast<Array*>(PyMem_Malloc(sizeof(Array) * (packed.arrays ? packed.arrays : 1)));
  if (!call->kept || !call->args || !call->descriptions) {
    Py_DECREF(call);
    return PyErr_NoMemory();
  }
  std::memcpy(call->args, packed.first, sizeof(Arg) * total);
  std::memcpy(call->descriptions, packed.descriptions, sizeof(Array) * packed.arrays);
  for (int i = 0; i < packed.arrays; i++)
    if (packed.descriptions[i].data == &packed.descriptions[i].number)
      call->descriptions[i].data = &call->descriptions[i].number;
  for (Py_ssize_t i = 0; i < count; i++) {
    const Array* own = static_cast<const Array*>(packed.first[i].p);
    if (packed.described && (PyArray_Check(args[i]) || PyFloat_Check(args[i])))
      call->args[i].p = call->descriptions + (own - packed.descriptions);
  }
  Py_ssize_t next = count;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject* own = is_sequence(args[i]) ? PySequence_Tuple(args[i]) : Py_NewRef(args[i]);
    if (!own) {
      Py_DECREF(call);
      return nullptr;
    }
    PyTuple_SET_ITEM(call->kept, i, own);
    if (is_sequence(args[i])) {
      call->args[i].p = call->args + next;
      next += PySequence_Fast_GET_SIZE(args[i]);
    }
  }
  return reinterpret_cast<PyObject*>(call);
}

// Where this thread's calls go instead of being carried out, while something is captured.
thread_local PyObject* captured = nullptr;
thread_local bool copied = false;  // a Guard has copied an array, which a repetition would have to do again

// ---- Function ----------------------------------------------------------------------------------------------------------

struct Function {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Entry entry;
  PyObject* name;
  int described;
};

PyObject* function_call(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
  Function* function = reinterpret_cast<Function*>(self);
  if (keywords && PyTuple_GET_SIZE(keywords)) {
    PyErr_Format(PyExc_TypeError, "%U: a native kernel takes no keyword arguments", function->name);
    return nullptr;
  }
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  Packed packed;
  packed.described = function->described;
  if (!pack(args, count, packed)) return nullptr;
  if (captured) {
    PyObject* call = keep_call(function->entry, args, count, packed);
    if (!call) return nullptr;
    const int status = PyList_Append(captured, call);
    Py_DECREF(call);
    if (status) return nullptr;
  } else if (packed.largest < LONG_ENOUGH) {
    function->entry(packed.first);
  } else {
    Py_BEGIN_ALLOW_THREADS
    function->entry(packed.first);
    Py_END_ALLOW_THREADS
  }
  Py_RETURN_NONE;
}

PyObject* function_new(PyTypeObject* type, PyObject* args, PyObject*) {
  unsigned long long address;
  PyObject* name;
  int described = 0;
  if (!PyArg_ParseTuple(args, "KU|p", &address, &name, &described)) return nullptr;
  Function* self = reinterpret_cast<Function*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->vectorcall = function_call;
  self->entry = reinterpret_cast<Entry>(address);
  self->name = Py_NewRef(name);
  self->described = described;
  return reinterpret_cast<PyObject*>(self);
}

void function_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<Function*>(self)->name);
  Py_TYPE(self)->tp_free(self);
}

PyTypeObject function_type = {PyVarObject_HEAD_INIT(nullptr, 0) "gpunet_native.Function"};

// ---- Guard -------------------------------------------------------------------------------------------------------------

struct Guard {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* function;
  Py_ssize_t outputs;  // how many of the arguments are written, or -1 if all may be
  int strided;         // whether it takes arrays of any strides itself
  unsigned types;      // a bit for each NumPy type number of floats that it takes; 0: it looks at types itself
};

inline bool is_float(int type) { return (type >= NPY_FLOAT && type <= NPY_CLONGDOUBLE) || type == NPY_HALF || type >= NPY_USERDEF; }

// The addresses between which an array's elements lie.
inline void extent(PyArrayObject* array, const char** from, const char** to) {
  *from = PyArray_BYTES(array);
  if (PyArray_FLAGS(array) & NPY_ARRAY_C_CONTIGUOUS) {
    *to = *from + PyArray_NBYTES(array);
    return;
  }
  *to = *from + PyArray_ITEMSIZE(array);
  for (int i = 0; i < PyArray_NDIM(array); i++) {
    const npy_intp size = PyArray_DIM(array, i), step = PyArray_STRIDE(array, i) * (size - 1);
    if (size == 0) {
      *to = *from;
      return;
    }
    if (step < 0) *from += step;
    else *to += step;
  }
}

// Whether writing one array may change another, beside the same elements at the same places.
inline bool overlap(PyArrayObject* out, PyArrayObject* in) {
  const char *a, *a_end, *b, *b_end;
  extent(out, &a, &a_end);
  extent(in, &b, &b_end);
  if (a >= b_end || b >= a_end) return false;
  const int dims = PyArray_NDIM(out);
  return PyArray_DATA(out) != PyArray_DATA(in) || dims != PyArray_NDIM(in) ||
         std::memcmp(PyArray_DIMS(out), PyArray_DIMS(in), sizeof(npy_intp) * dims) ||
         (std::memcmp(PyArray_STRIDES(out), PyArray_STRIDES(in), sizeof(npy_intp) * dims) &&
          !(PyArray_FLAGS(out) & PyArray_FLAGS(in) & NPY_ARRAY_C_CONTIGUOUS));
}

PyObject* guard_call(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) {
  Guard* guard = reinterpret_cast<Guard*>(self);
  const Py_ssize_t count = PyVectorcall_NARGS(flags);
  const int wanted = guard->strided ? NPY_ARRAY_ALIGNED : NPY_ARRAY_ALIGNED | NPY_ARRAY_C_CONTIGUOUS;
  int type = -1;
  bool copies = false;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!PyArray_Check(args[i])) continue;
    PyArrayObject* array = reinterpret_cast<PyArrayObject*>(args[i]);
    const int found = PyArray_TYPE(array);
    if (!guard->types) {
      type = found;
    } else if (is_float(found)) {
      if (type < 0) {
        if (found >= 32 || !(guard->types >> found & 1)) Py_RETURN_NOTIMPLEMENTED;
        type = found;
      } else if (found != type) {
        Py_RETURN_NOTIMPLEMENTED;
      }
    }
    if ((PyArray_FLAGS(array) & wanted) != wanted) {
      if (i < guard->outputs || guard->outputs < 0 || guard->strided) Py_RETURN_NOTIMPLEMENTED;
      copies = true;
    } else if (i >= guard->outputs) {
      for (Py_ssize_t o = 0; o < guard->outputs; o++)
        if (overlap(reinterpret_cast<PyArrayObject*>(args[o]), array)) Py_RETURN_NOTIMPLEMENTED;
    }
  }
  if (type < 0) Py_RETURN_NOTIMPLEMENTED;  // integers alone
  if (!copies) return PyObject_Vectorcall(guard->function, args, flags, keywords);
  copied = true;
  const Py_ssize_t words = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  std::vector<PyObject*> own(args, args + count + words);
  std::vector<PyObject*> made;
  PyObject* result = nullptr;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!PyArray_Check(args[i]) || (PyArray_FLAGS(reinterpret_cast<PyArrayObject*>(args[i])) & wanted) == wanted) continue;
    PyObject* copy = PyArray_NewCopy(reinterpret_cast<PyArrayObject*>(args[i]), NPY_CORDER);
    if (!copy) goto end;
    made.push_back(copy);
    own[i] = copy;
  }
  result = PyObject_Vectorcall(guard->function, own.data(), count, keywords);
end:
  for (PyObject* each : made) Py_DECREF(each);
  return result;
}

PyObject* guard_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *function, *types;
  Py_ssize_t outputs;
  int strided;
  if (!PyArg_ParseTuple(args, "OniO!", &function, &outputs, &strided, &PyTuple_Type, &types)) return nullptr;
  unsigned bits = 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
    const long number = PyLong_AsLong(PyTuple_GET_ITEM(types, i));
    if (number < 0 || number >= 32) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "types must be NumPy's numbers of built-in types");
      return nullptr;
    }
    bits |= 1u << number;
  }
  Guard* self = reinterpret_cast<Guard*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->vectorcall = guard_call;
  self->function = Py_NewRef(function);
  self->outputs = outputs;
  self->strided = strided;
  self->types = bits;
  return reinterpret_cast<PyObject*>(self);
}

void guard_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<Guard*>(self)->function);
  Py_TYPE(self)->tp_free(self);
}

PyTypeObject guard_type = {PyVarObject_HEAD_INIT(nullptr, 0) "gpunet_native.Guard"};

// ---- capture and Program -----------------------------------------------------------------------------------------------

// capture(function): function() with its kernel calls kept. Returns them as a list; None if a repetition of them would
// not do what the function does, because an array was copied or the function returned NotImplemented.
PyObject* capture(PyObject*, PyObject* function) {
  PyObject* calls = PyList_New(0);
  if (!calls) return nullptr;
  PyObject* before = captured;
  captured = calls;
  copied = false;
  PyObject* result = PyObject_CallNoArgs(function);
  captured = before;
  if (!result) {
    Py_DECREF(calls);
    return nullptr;
  }
  const bool useless = copied || result == Py_NotImplemented;
  Py_DECREF(result);
  if (useless) {
    Py_DECREF(calls);
    Py_RETURN_NONE;
  }
  return calls;
}

struct Program {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* steps;  // tuple of Call objects and of Python functions without arguments
};

PyObject* program_call(PyObject* self, PyObject* const*, size_t, PyObject*) {
  PyObject* steps = reinterpret_cast<Program*>(self)->steps;
  const Py_ssize_t count = PyTuple_GET_SIZE(steps);
  PyObject** items = &PyTuple_GET_ITEM(steps, 0);
  for (Py_ssize_t i = 0; i < count;) {
    if (Py_TYPE(items[i]) != &call_type) {
      PyObject* result = PyObject_CallNoArgs(items[i++]);
      if (!result) return nullptr;
      Py_DECREF(result);
      continue;
    }
    Py_ssize_t end = i;
    while (end < count && Py_TYPE(items[end]) == &call_type) end++;
    Py_BEGIN_ALLOW_THREADS
    for (; i < end; i++) {
      const Call* call = reinterpret_cast<Call*>(items[i]);
      call->entry(call->args);
    }
    Py_END_ALLOW_THREADS
    if (PyErr_CheckSignals()) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* program_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject* steps;
  if (!PyArg_ParseTuple(args, "O", &steps)) return nullptr;
  PyObject* own = PySequence_Tuple(steps);
  if (!own) return nullptr;
  Program* self = reinterpret_cast<Program*>(type->tp_alloc(type, 0));
  if (!self) {
    Py_DECREF(own);
    return nullptr;
  }
  self->vectorcall = program_call;
  self->steps = own;
  return reinterpret_cast<PyObject*>(self);
}

void program_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<Program*>(self)->steps);
  Py_TYPE(self)->tp_free(self);
}

PyTypeObject program_type = {PyVarObject_HEAD_INIT(nullptr, 0) "gpunet_native.Program"};

// ---- memory ------------------------------------------------------------------------------------------------------------

gpunet::memory::Blocks& blocks() {
  static auto* all = new gpunet::memory::Blocks;  // never destroyed: arrays may die later
  return *all;
}

void* data_malloc(void*, size_t size) { return blocks().get(size); }
void* data_calloc(void*, size_t count, size_t size) {
  void* block = blocks().get(count * size);
  if (block) std::memset(block, 0, count * size);
  return block;
}
void data_free(void*, void* block, size_t) {
  if (block) blocks().put(block);
}
void* data_realloc(void*, void* block, size_t size) {
  void* other = blocks().get(size);
  if (other && block) {
    std::memcpy(other, block, std::min(size, gpunet::memory::head(block).size));
    blocks().put(block);
  }
  return other;
}

PyDataMem_Handler handler = {"gpunet", 1, {nullptr, data_malloc, data_calloc, data_realloc, data_free}};
PyObject* handler_capsule = nullptr;

// empty(shape, dtype): numpy.empty, large arrays from kept memory. NumPy frees it by the array's own handler.
PyObject* empty(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2 || !PyTuple_Check(args[0]) || !PyArray_DescrCheck(args[1]) || PyTuple_GET_SIZE(args[0]) > NPY_MAXDIMS) {
    PyErr_SetString(PyExc_TypeError, "empty(shape, dtype) takes a tuple and a numpy.dtype");
    return nullptr;
  }
  npy_intp shape[NPY_MAXDIMS];
  const int dims = static_cast<int>(PyTuple_GET_SIZE(args[0]));
  PyArray_Descr* descr = reinterpret_cast<PyArray_Descr*>(args[1]);
  npy_intp size = PyDataType_ELSIZE(descr);
  for (int i = 0; i < dims; i++) {
    PyObject* extent = PyTuple_GET_ITEM(args[0], i);
    shape[i] = PyLong_CheckExact(extent) ? PyLong_AsSsize_t(extent) : PyNumber_AsSsize_t(extent, PyExc_OverflowError);
    if (shape[i] == -1 && PyErr_Occurred()) return nullptr;
    if (shape[i] < 0) {
      PyErr_SetString(PyExc_ValueError, "negative dimensions are not allowed");
      return nullptr;
    }
    if (__builtin_mul_overflow(size, shape[i], &size)) size = NPY_MAX_INTP;  // NumPy says what is wrong
  }
  Py_INCREF(descr);
  if (size < static_cast<npy_intp>(gpunet::memory::LEAST) || size > (npy_intp{1} << 46) || PyDataType_REFCHK(descr))
    return PyArray_Empty(dims, shape, descr, 0);
  void* data = blocks().get(static_cast<size_t>(size));
  if (!data) {
    Py_DECREF(descr);
    return PyErr_NoMemory();
  }
  PyObject* array = PyArray_NewFromDescr(&PyArray_Type, descr, dims, shape, nullptr, data, NPY_ARRAY_CARRAY, nullptr);
  if (!array) {
    blocks().put(data);
    return nullptr;
  }
  PyArrayObject_fields* fields = reinterpret_cast<PyArrayObject_fields*>(array);
  fields->mem_handler = Py_NewRef(handler_capsule);
  fields->flags |= NPY_ARRAY_OWNDATA;
  return array;
}

PyObject* memory_statistics(PyObject*, PyObject*) {
  const auto now = blocks().statistics();
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:L}", "fresh", now.fresh, "reused", now.reused, "in_use", now.in_use, "peak",
                       now.peak, "kept", now.kept);
}

PyObject* empty_cache(PyObject*, PyObject*) {
  blocks().empty();
  Py_RETURN_NONE;
}

// ---- the module --------------------------------------------------------------------------------------------------------

PyMethodDef methods[] = {
    {"capture", capture, METH_O, "The kernel calls that a function makes, kept."},
    {"empty", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(empty)), METH_FASTCALL, "A new array."},
    {"memory_statistics", memory_statistics, METH_NOARGS, "Counts of blocks and bytes."},
    {"empty_cache", empty_cache, METH_NOARGS, "Gives kept memory back."},
    {}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "gpunet_native", "Calls of native kernels.", -1, methods};

bool ready(PyTypeObject& type, size_t size, destructor dealloc, newfunc make, size_t vectorcall) {
  type.tp_basicsize = static_cast<Py_ssize_t>(size);
  type.tp_dealloc = dealloc;
  type.tp_new = make;
  type.tp_flags = Py_TPFLAGS_DEFAULT | (vectorcall ? Py_TPFLAGS_HAVE_VECTORCALL : 0);
  type.tp_vectorcall_offset = static_cast<Py_ssize_t>(vectorcall);
  if (vectorcall) type.tp_call = PyVectorcall_Call;
  return PyType_Ready(&type) == 0;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) PyObject* PyInit_gpunet_native() {
  import_array();
  handler_capsule = PyCapsule_New(&handler, "mem_handler", nullptr);
  if (!handler_capsule) return nullptr;
  blocks();
  // A child of fork must not inherit a lock that another thread held.
  pthread_atfork([] { blocks().lock(); }, [] { blocks().unlock(); }, [] { blocks().unlock(); });
  static PyMemberDef names[] = {{"__name__", T_OBJECT_EX, offsetof(Function, name), READONLY, nullptr}, {}};
  function_type.tp_members = names;
  if (!ready(call_type, sizeof(Call), call_dealloc, nullptr, 0) ||
      !ready(function_type, sizeof(Function), function_dealloc, function_new, offsetof(Function, vectorcall)) ||
      !ready(guard_type, sizeof(Guard), guard_dealloc, guard_new, offsetof(Guard, vectorcall)) ||
      !ready(program_type, sizeof(Program), program_dealloc, program_new, offsetof(Program, vectorcall)))
    return nullptr;
  PyObject* module = PyModule_Create(&definition);
  if (!module || PyModule_AddObjectRef(module, "Function", reinterpret_cast<PyObject*>(&function_type)) ||
      PyModule_AddObjectRef(module, "Guard", reinterpret_cast<PyObject*>(&guard_type)) ||
      PyModule_AddObjectRef(module, "Program", reinterpret_cast<PyObject*>(&program_type)))
    return nullptr;
  return module;
}
