# durability none promises nothing over a kill: the check must find that, or it finds nothing.
execute_process(COMMAND ${BROKERCTL} verify-durability --cycles 2 --dir ${DIRECTORY} --durability none
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT status EQUAL 2 OR NOT out MATCHES "BROKEN")
    message(FATAL_ERROR "status ${status} instead of 2:\n${out}${err}")
endif()
