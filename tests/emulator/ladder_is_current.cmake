# Fails when TOOL would write other tables into PAGE than stand there.
set(copy ${CMAKE_CURRENT_BINARY_DIR}/ladder_copy.md)
configure_file(${PAGE} ${copy} COPYONLY)
execute_process(COMMAND ${TOOL} --write ${copy} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${PAGE} ${copy} RESULT_VARIABLE different)
if(different)
  message(FATAL_ERROR "${PAGE} is not what ${TOOL} --write makes of it: run it on that page")
endif()
