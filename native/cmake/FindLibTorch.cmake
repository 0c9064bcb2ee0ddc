# Makes the target vssl::torch from the folder VSSL_LIBTORCH (holding include/ and lib/), which
# tools/locate-libtorch.cjs finds. find_package(Torch) is not used: the configuration of a CUDA build of libtorch stops
# with an error on a machine without a CUDA toolkit, although CPU code could be compiled against it.
if(NOT VSSL_LIBTORCH AND DEFINED ENV{LIBTORCH})
  set(VSSL_LIBTORCH $ENV{LIBTORCH})
endif()
if(NOT EXISTS "${VSSL_LIBTORCH}/include/torch/csrc/api/include/torch/torch.h")
  message(FATAL_ERROR "libtorch was not found in '${VSSL_LIBTORCH}'. Run 'npx vssl-native setup', or pass "
                      "-DVSSL_LIBTORCH=<folder with include/ and lib/>.")
endif()

# Its version; the header that says it has moved.
set(torch_version 0)
foreach(header torch/headeronly/version.h torch/csrc/api/include/torch/version.h)
  if(EXISTS "${VSSL_LIBTORCH}/include/${header}")
    file(STRINGS "${VSSL_LIBTORCH}/include/${header}" numbers REGEX "^#define TORCH_VERSION_M(AJ|IN)OR ")
    if(numbers MATCHES "MAJOR ([0-9]+).*MINOR ([0-9]+)")
      set(torch_version ${CMAKE_MATCH_1}.${CMAKE_MATCH_2})
      break()
    endif()
  endif()
endforeach()

add_library(vssl::torch INTERFACE IMPORTED)
set(torch_lib_dir "${VSSL_LIBTORCH}/lib")
set(torch_include "${VSSL_LIBTORCH}/include" "${VSSL_LIBTORCH}/include/torch/csrc/api/include")
set(torch_libraries c10 torch_cpu)
if(VSSL_ENGINE_CUDA)
  if(NOT EXISTS "${torch_lib_dir}/libtorch_cuda.so")
    message(FATAL_ERROR "VSSL_ENGINE_CUDA is ON, and '${VSSL_LIBTORCH}' is a libtorch for the CPU alone. Run "
                        "'npx vssl-native setup --cuda', or pass -DVSSL_LIBTORCH=<one with lib/libtorch_cuda.so>.")
  endif()
  list(APPEND torch_libraries c10_cuda)
  # Its headers name those of cuBLAS, cuSOLVER, cuSPARSE and NCCL, which lie beside it where the toolkit has none; the toolkit's
  # own come first.
  file(GLOB cuda_wheels_include "${VSSL_LIBTORCH}/../nvidia/cu*/include" "${VSSL_LIBTORCH}/../nvidia/nccl/include")
  list(APPEND torch_include ${CUDAToolkit_INCLUDE_DIRS} ${cuda_wheels_include})
endif()
foreach(name ${torch_libraries})
  find_library(VSSL_LIB_${name} ${name} PATHS ${torch_lib_dir} NO_DEFAULT_PATH REQUIRED)
  set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${VSSL_LIB_${name}})
endforeach()
if(VSSL_ENGINE_CUDA)
  # CUDA registers itself with libtorch when this library is loaded, and nothing else needs to name it.
  set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_LINK_LIBRARIES
               "-Wl,--push-state,--no-as-needed,${torch_lib_dir}/libtorch_cuda.so,--pop-state" CUDA::cudart)
endif()
set_target_properties(vssl::torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${torch_include}")
set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS _GLIBCXX_USE_CXX11_ABI=1)
# Headers of 2.14 and newer need C++20, in which GCC 12 warns of its own std::string (GCC bugs 105329 and 105651).
if(torch_version VERSION_GREATER_EQUAL 2.14)
  set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_FEATURES cxx_std_20)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_OPTIONS -Wno-restrict -Wno-array-bounds
                 -Wno-stringop-overread)
  endif()
else()
  set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_FEATURES cxx_std_17)
endif()
