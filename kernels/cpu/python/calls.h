// The arguments of kernels' calls, and calls that are kept. Included by call.cpp, after Python.h and NumPy's headers.
#pragma once
#include <cstring>
#include <vector>

#include "../args.h"
#include "../chains.h"

using gpunet::cpu::Arg;
using gpunet::cpu::Array;
using gpunet::cpu::Entry;

namespace {

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
  int arrays;
  bool elementwise;
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

PyObject* keep_call(Entry entry, PyObject* const* args, Py_ssize_t count, const Packed& packed, bool elementwise) {
  Py_ssize_t total = count;
  for (Py_ssize_t i = 0; i < count; i++)
    if (is_sequence(args[i])) total += PySequence_Fast_GET_SIZE(args[i]);
  Call* call = PyObject_New(Call, &call_type);
  if (!call) return nullptr;
  call->entry = entry;
  call->arrays = packed.arrays;
  call->elementwise = elementwise;
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

}  // namespace
