# native/tests/fuzz: the video room under libFuzzer with address and undefined-behaviour sanitizers, for clang alone.
# tools/fuzz.mjs configures it (VSSL_FUZZ) in a build folder of its own.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "VSSL_FUZZ needs clang; on Debian: apt-get install clang libclang-rt-14-dev")
endif()
find_package(PkgConfig REQUIRED)
pkg_check_modules(FUZZ_LIBAV REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale)

# A cast from a number beyond the integer's range is undefined, and clang's "undefined" leaves it out.
set(fuzz_checks address,undefined,float-cast-overflow)
set(fuzz_options -g -O1 -fno-sanitize-recover=all -fno-omit-frame-pointer)

vssl_room(video fuzz)
# All that the video room takes from the kernels; the rest of them takes minutes under clang.
target_sources(vssl_fuzz_core PRIVATE native/kernels/isa.cpp native/common/kept_memory.cpp)
target_compile_definitions(vssl_fuzz_core PRIVATE VSSL_WITH_LIBAV)
target_compile_options(vssl_fuzz_core PRIVATE ${fuzz_options} -fsanitize=fuzzer-no-link,${fuzz_checks}
                                              -Wno-unknown-pragmas)
target_link_libraries(vssl_fuzz_core PUBLIC PkgConfig::FUZZ_LIBAV Threads::Threads ${CMAKE_DL_LIBS})

function(vssl_fuzz_program name source checks)
  add_executable(${name} native/tests/fuzz/${source})
  target_link_libraries(${name} PRIVATE vssl_fuzz_core)
  target_compile_options(${name} PRIVATE ${fuzz_options} -fsanitize=${checks})
  target_link_options(${name} PRIVATE -fsanitize=${checks})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  set_property(GLOBAL APPEND PROPERTY fuzz_programs ${name})
endfunction()

foreach(target decode plan packed)
  vssl_fuzz_program(fuzz_${target} libfuzzer.cpp fuzzer,${fuzz_checks})
  target_compile_definitions(fuzz_${target} PRIVATE VSSL_FUZZ_HEADER="${target}_target.h"
                                                    VSSL_FUZZ_TARGET=${target}_target)
endforeach()
target_compile_definitions(fuzz_decode PRIVATE VSSL_FUZZ_FILES)
vssl_fuzz_program(fuzz_write_seeds write_seeds.cpp ${fuzz_checks})

get_property(programs GLOBAL PROPERTY fuzz_programs)
set_target_properties(vssl_fuzz_core ${programs} PROPERTIES EXCLUDE_FROM_ALL ON)
add_custom_target(vssl_fuzz DEPENDS ${programs})
