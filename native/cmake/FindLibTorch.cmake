# Makes the target vssl::torch from the folder VSSL_LIBTORCH (holding include/ and lib/), which
# tools/locate-libtorch.mjs finds. find_package(Torch) is not used: the configuration of a CUDA build of libtorch stops
# with an error on a machine without a CUDA toolkit, although CPU code could be compiled against it.
if(NOT VSSL_LIBTORCH AND DEFINED ENV{LIBTORCH})
  set(VSSL_LIBTORCH $ENV{LIBTORCH})
endif()
if(NOT EXISTS "${VSSL_LIBTORCH}/include/torch/csrc/api/include/torch/torch.h")
  message(FATAL_ERROR "libtorch was not found in '${VSSL_LIBTORCH}'. Run 'npx vssl-native setup', or pass "
                      "-DVSSL_LIBTORCH=<folder with include/ and lib/>.")
endif()

add_library(vssl::torch INTERFACE IMPORTED)
set(torch_lib_dir "${VSSL_LIBTORCH}/lib")
foreach(name c10 torch_cpu)
  find_library(VSSL_LIB_${name} ${name} PATHS ${torch_lib_dir} NO_DEFAULT_PATH REQUIRED)
  set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_LINK_LIBRARIES ${VSSL_LIB_${name}})
endforeach()
set_target_properties(vssl::torch PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                      "${VSSL_LIBTORCH}/include;${VSSL_LIBTORCH}/include/torch/csrc/api/include")
set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_DEFINITIONS _GLIBCXX_USE_CXX11_ABI=1)
# libtorch 2.6 to 2.8 need C++17; newer headers want C++20 where the compiler has it.
set_property(TARGET vssl::torch APPEND PROPERTY INTERFACE_COMPILE_FEATURES cxx_std_17)
