# native/kernels/cuda as vssl_kernels_cuda, its tests and its benchmark, where there is an nvcc; the same sources
# as C++ for the emulated test, everywhere.
file(GLOB cuda_sources CONFIGURE_DEPENDS native/kernels/cuda/*.cu)
file(GLOB hopper_sources CONFIGURE_DEPENDS native/kernels/cuda/*_hopper.cu)
list(REMOVE_ITEM cuda_sources ${hopper_sources})

set(VSSL_HAS_CUDA OFF)
if(NOT VSSL_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX} AND EXISTS /usr/local/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES OFF)  # given below, one set a library
    enable_language(CUDA)
    set(CMAKE_CUDA_STANDARD 17)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    if(VSSL_ENGINE_CUDA)
      set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
    endif()
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
      set(VSSL_HAS_CUDA ON)
    endif()
  endif()
  if(VSSL_CUDA STREQUAL "ON" AND NOT VSSL_HAS_CUDA)
    message(FATAL_ERROR "VSSL_CUDA is ON but no nvcc 12.1 or newer was found; set CUDACXX to it")
  endif()
endif()

if(VSSL_HAS_CUDA)
  find_package(CUDAToolkit REQUIRED)
  # An object library of CUDA sources for the machine codes given as -gencode options.
  function(vssl_cuda_objects name)
    cmake_parse_arguments(PARSE_ARGV 1 given "" "" "GENCODE;SOURCES")
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${given_SOURCES})
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES OFF)
    list(TRANSFORM given_GENCODE PREPEND "-gencode=")
    # No contraction, as on the CPU: multiply-adds are fused where the code says fma.
    target_compile_options(${name} PRIVATE ${given_GENCODE} -fmad=false)
  endfunction()
  vssl_cuda_objects(vssl_cuda_portable SOURCES ${cuda_sources} GENCODE
                    arch=compute_80,code=sm_80 arch=compute_90,code=sm_90 arch=compute_90,code=compute_90)
  add_library(vssl_kernels_cuda STATIC EXCLUDE_FROM_ALL $<TARGET_OBJECTS:vssl_cuda_portable>)
  if(hopper_sources)
    vssl_cuda_objects(vssl_cuda_hopper SOURCES ${hopper_sources} GENCODE arch=compute_90a,code=sm_90a)
    target_sources(vssl_kernels_cuda PRIVATE $<TARGET_OBJECTS:vssl_cuda_hopper>)
  endif()
  # One CUDA runtime in a process: beside libtorch it is a shared library.
  if(VSSL_ENGINE_CUDA)
    target_link_libraries(vssl_kernels_cuda PUBLIC CUDA::cudart)
  else()
    target_link_libraries(vssl_kernels_cuda PUBLIC CUDA::cudart_static)
  endif()
  set_target_properties(vssl_kernels_cuda PROPERTIES LINKER_LANGUAGE CXX)

  # benchmarks/gpu.sh runs it; built on request.
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/benchmarks/cuda_bench.cu)
    vssl_cuda_objects(vssl_bench_portable SOURCES benchmarks/cuda_bench.cu benchmarks/cuda_limits.cu GENCODE
                      arch=compute_80,code=sm_80 arch=compute_90,code=sm_90 arch=compute_90,code=compute_90)
    vssl_cuda_objects(vssl_bench_hopper SOURCES benchmarks/cuda_limits_hopper.cu GENCODE
                      arch=compute_90a,code=sm_90a)
    add_executable(vssl_cuda_bench EXCLUDE_FROM_ALL $<TARGET_OBJECTS:vssl_bench_portable>
                   $<TARGET_OBJECTS:vssl_bench_hopper>)
    target_link_libraries(vssl_cuda_bench PRIVATE vssl_kernels_cuda vssl_kernels_core)
    set_target_properties(vssl_cuda_bench vssl_bench_portable vssl_bench_hopper PROPERTIES EXCLUDE_FROM_ALL ON)
    set_target_properties(vssl_cuda_bench PROPERTIES LINKER_LANGUAGE CXX
                          RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  endif()
endif()

if(VSSL_TESTS)
  add_executable(cuda_kernels_test EXCLUDE_FROM_ALL native/tests/cuda_kernels_test.cpp)
  target_link_libraries(cuda_kernels_test PRIVATE vssl_kernels_core)
  if(VSSL_HAS_CUDA)
    target_link_libraries(cuda_kernels_test PRIVATE vssl_kernels_cuda)
    target_compile_definitions(cuda_kernels_test PRIVATE VSSL_WITH_CUDA)
  endif()

  # Each CUDA source behind the emulation's header, as a C++ file.
  set(emulated native/tests/cuda_emulated_test.cpp)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    list(APPEND emulated native/tests/cuda_emulator.cpp)
    foreach(source ${cuda_sources} ${hopper_sources})
      get_filename_component(name ${source} NAME_WE)
      set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/emulated/${name}.cpp)
      set(text "#include \"${CMAKE_CURRENT_SOURCE_DIR}/native/tests/cuda_emulator.h\"\n#include \"${source}\"\n")
      file(GENERATE OUTPUT ${wrapper} CONTENT "${text}")
      list(APPEND emulated ${wrapper})
    endforeach()
  endif()
  add_executable(cuda_emulated_test EXCLUDE_FROM_ALL ${emulated})
  target_compile_options(cuda_emulated_test PRIVATE -Wno-unknown-pragmas)  # unroll
  target_link_libraries(cuda_emulated_test PRIVATE vssl_kernels_core)

  set(cuda_test_targets cuda_kernels_test cuda_emulated_test)
  set_target_properties(${cuda_test_targets} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
endif()
