broker_fuzz(mqtt_decode SOURCES mqtt_decode.cpp LINK broker::mqtt)
broker_fuzz(mqtt_engine
    SOURCES mqtt_engine.cpp ${PROJECT_SOURCE_DIR}/tests/support/test_node.cpp
    LINK broker::mqtt broker::shard_core broker::storage)
target_include_directories(fuzz_mqtt_engine PRIVATE ${PROJECT_SOURCE_DIR}/tests)
