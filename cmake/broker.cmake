# The project's own vocabulary: broker_library(), broker_executable(), broker_test(), broker_fuzz().

add_library(broker_flags INTERFACE)
target_compile_options(broker_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 reports false overlaps inside std::string (PR 105651).
    target_compile_options(broker_flags INTERFACE -Wno-restrict)
endif()

if(BROKER_SANITIZE)
    # -Og: what is instrumented costs GCC three times as long at -O2. Assertions hold here.
    set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-Og -g1")
    add_compile_options(-fsanitize=${BROKER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${BROKER_SANITIZE})
    if(BROKER_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Asio's standalone fences; GCC says that it cannot instrument them.
        add_compile_options(-Wno-tsan)
    endif()
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # The sanitizers' extra branches confuse GCC 12's flow warnings in third-party headers.
        add_compile_options(-Wno-maybe-uninitialized)
    endif()
endif()

if(BROKER_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link) # the libraries too: what is not instrumented does not guide the search
endif()

find_program(BROKER_CCACHE ccache)
if(BROKER_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${BROKER_CCACHE})
endif()
find_program(BROKER_MOLD mold)
if(BROKER_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=mold)
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_link_options(-fuse-ld=lld)
endif()

# broker_library(name SOURCES a.cpp ... LINK targets ...): static library broker::name of the current folder.
function(broker_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK;LINK_PRIVATE" ${ARGN})
    add_library(broker_${name} STATIC ${ARG_SOURCES})
    add_library(broker::${name} ALIAS broker_${name})
    target_include_directories(broker_${name} PUBLIC ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/broker)
    target_link_libraries(broker_${name} PUBLIC ${ARG_LINK} PRIVATE broker_flags ${ARG_LINK_PRIVATE})
endfunction()

function(broker_executable name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/broker)
    target_link_libraries(${name} PRIVATE broker_flags ${ARG_LINK})
endfunction()

# The thread sanitizer has nothing to find in what runs on one thread: it builds and runs only tests marked THREADS.
if(BROKER_SANITIZE MATCHES "thread")
    set(BROKER_ONLY_THREADS ON)
endif()

# broker_test(path [THREADS] SOURCES ... LINK ...): a doctest executable registered under its path.
function(broker_test path)
    cmake_parse_arguments(ARG "THREADS" "" "SOURCES;LINK" ${ARGN})
    string(REPLACE "/" "_" target ${path})
    add_executable(${target}_test ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/main.cpp)
    set_target_properties(${target}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    target_include_directories(${target}_test PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/broker)
    target_link_libraries(${target}_test PRIVATE broker_flags doctest::doctest ${ARG_LINK})
    if(BROKER_ONLY_THREADS AND NOT ARG_THREADS)
        set_target_properties(${target}_test PROPERTIES EXCLUDE_FROM_ALL ON)
        return()
    endif()
    add_test(NAME ${path} COMMAND ${target}_test)
    set_tests_properties(${path} PROPERTIES TIMEOUT 300)
endfunction()

# broker_fuzz(name SOURCES ... LINK ...): the target under libFuzzer with clang, a replay of its corpus under GCC.
function(broker_fuzz name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(BROKER_FUZZ)
        add_executable(fuzz_${name} ${ARG_SOURCES})
        target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    else()
        add_executable(fuzz_${name} ${ARG_SOURCES} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.cpp)
        set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
        add_test(NAME fuzz/${name} COMMAND fuzz_${name} ${corpus})
        set_tests_properties(fuzz/${name} PROPERTIES TIMEOUT 300)
    endif()
    target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/broker)
    target_link_libraries(fuzz_${name} PRIVATE broker_flags ${ARG_LINK})
endfunction()
