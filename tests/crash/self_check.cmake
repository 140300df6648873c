# A promise that is not made for this end is found broken, or the check finds nothing.
separate_arguments(OPTIONS)
execute_process(COMMAND ${BROKERCTL} verify-durability --cycles 2 --dir ${DIRECTORY} ${OPTIONS}
    RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
if(NOT status EQUAL 2 OR NOT out MATCHES "BROKEN")
    message(FATAL_ERROR "status ${status} instead of 2:\n${out}${err}")
endif()
