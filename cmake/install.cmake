# What `cmake --install` leaves beside the apps: static libraries, their headers and the package for find_package(Preceptor).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/Preceptor)
install(TARGETS preceptor preceptor_models preceptor_data preceptor_engine preceptor_files preceptor_kernels preceptor_emulator
  preceptor_training preceptor_inference preceptor_runs preceptor_command_line
  EXPORT PreceptorTargets ARCHIVE)
install(EXPORT PreceptorTargets NAMESPACE Preceptor:: DESTINATION ${package})
foreach(folder kernels engine models data apps/training apps/inference apps/runs apps/command_line)
  get_filename_component(above ${folder} DIRECTORY)
  install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/preceptor/${above} FILES_MATCHING PATTERN "*.h"
    PATTERN emulator EXCLUDE PATTERN cuda EXCLUDE PATTERN versions EXCLUDE PATTERN ops EXCLUDE PATTERN reference.h EXCLUDE)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/PreceptorConfig.cmake.in PreceptorConfig.cmake INSTALL_DESTINATION ${package})
# Until 1.0 every minor version may change the API.
write_basic_package_version_file(PreceptorConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/PreceptorConfig.cmake ${PROJECT_BINARY_DIR}/PreceptorConfigVersion.cmake DESTINATION ${package})
