broker_fuzz(stomp_parser SOURCES stomp_parser.cpp LINK broker::stomp)
broker_fuzz(stomp_engine
    SOURCES stomp_engine.cpp ${PROJECT_SOURCE_DIR}/tests/support/test_node.cpp
    LINK broker::stomp broker::shard_core broker::storage)
target_include_directories(fuzz_stomp_engine PRIVATE ${PROJECT_SOURCE_DIR}/tests)
