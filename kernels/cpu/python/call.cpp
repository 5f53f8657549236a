// The way from Python to the kernels: a call costs what reading its arguments costs. Compiled into the library where
// Python's headers are there; gpunet/native/plain.py does the same through ctypes where they are not.
//
//   Function(address, name, described=False, elementwise=False)
//                                 calls a kernel with arrays, ints, floats, None, and tuples or lists of them
//   Guard(function, ...)          calls an op's Python function if its arrays are of a kind that kernels take
//   capture(function, ...)        the kernel calls that a function makes, kept instead of carried out
//   Program(steps, chain=0, hidden={})
//                                 carries captured calls out again, all from one call, and chains of element-wise ones
//                                 (chains.h) by the kernel at the address `chain`. hidden: {id of an array that nobody
//                                 but the calls refers to: the first and the last step that may touch it}. .chains:
//                                 (first step, calls, hidden arrays) of each; .unwritten: the hidden arrays
//   empty(shape, dtype)           numpy.empty, from memory that other arrays have left (memory.h)
#define PY_SSIZE_T_CLEAN
#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <Python.h>
#include <numpy/arrayobject.h>
#include <structmember.h>

#include <pthread.h>

#include <cstring>
#include <vector>

#include "arrays.h"
#include "calls.h"
#include "program.h"

namespace {

// Below this many elements a kernel is over before another Python thread would have woken up.
constexpr npy_intp LONG_ENOUGH = 8192;

// Where this thread's calls go instead of being carried out, while something is captured.
thread_local PyObject* captured = nullptr;
thread_local bool copied = false;  // a Guard has copied an array, which a repetition would have to do again

// ---- Function ----------------------------------------------------------------------------------------------------------

struct Function {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  Entry entry;
  PyObject* name;
  int described, elementwise;
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
    PyObject* call = keep_call(function->entry, args, count, packed, function->elementwise);
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
  int described = 0, elementwise = 0;
  if (!PyArg_ParseTuple(args, "KU|pp", &address, &name, &described, &elementwise)) return nullptr;
  Function* self = reinterpret_cast<Function*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->vectorcall = function_call;
  self->entry = reinterpret_cast<Entry>(address);
  self->name = Py_NewRef(name);
  self->described = described;
  self->elementwise = elementwise;
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
  unsigned types;      // a bit for each type of floats that it takes (see `bit`); 0: it looks at types itself
  PyObject* otherwise; // what is called with floats of half types where it does not take them; or null
};

int bfloat16 = -1;  // NumPy's number of it, in this process

// A type's place in Guard::types: NumPy's number, and the last one for bfloat16; -1 for what no kernel takes.
inline int bit(int type) { return type < 31 ? type : type == bfloat16 ? 31 : -1; }

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
      if (type < 0 && bit(found) >= 0 && guard->types >> bit(found) & 1) {
        type = found;
      } else if (found != type) {
        if (guard->otherwise && (found == NPY_HALF || found == bfloat16)) return PyObject_Vectorcall(guard->otherwise, args, flags, keywords);
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
  PyObject *function, *types, *otherwise = Py_None;
  Py_ssize_t outputs;
  int strided;
  if (!PyArg_ParseTuple(args, "OniO!|O", &function, &outputs, &strided, &PyTuple_Type, &types, &otherwise)) return nullptr;
  unsigned bits = 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(types); i++) {
    const int number = static_cast<int>(PyLong_AsLong(PyTuple_GET_ITEM(types, i)));
    if (number >= NPY_USERDEF) bfloat16 = number;
    if (number < 0 || bit(number) < 0) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "types must be NumPy's numbers of built-in types or bfloat16");
      return nullptr;
    }
    bits |= 1u << bit(number);
  }
  Guard* self = reinterpret_cast<Guard*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->vectorcall = guard_call;
  self->function = Py_NewRef(function);
  self->outputs = outputs;
  self->strided = strided;
  self->types = bits;
  self->otherwise = otherwise == Py_None ? nullptr : Py_NewRef(otherwise);
  return reinterpret_cast<PyObject*>(self);
}

void guard_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<Guard*>(self)->function);
  Py_XDECREF(reinterpret_cast<Guard*>(self)->otherwise);
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
  static PyMemberDef parts[] = {{"chains", T_OBJECT_EX, offsetof(Program, chains), READONLY, nullptr},
                                {"unwritten", T_OBJECT_EX, offsetof(Program, unwritten), READONLY, nullptr}, {}};
  program_type.tp_members = parts;
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
