// New arrays whose memory comes from what other arrays have left (memory.h). Included by call.cpp, after Python.h and
// NumPy's headers.
#pragma once
#include <algorithm>
#include <cstring>

#include "memory.h"

namespace {

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

}  // namespace
