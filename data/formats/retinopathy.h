// Fundus photographs graded for diabetic retinopathy, as EyePACS, APTOS 2019, Messidor-2 and IDRiD publish them.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// retinopathy:FOLDER. Every .csv in the folder or up to two below it is taken that has a column of image names (image,
// id_code, image_id, Image name) and one of grades (level, diagnosis, adjudicated_dr_grade, Retinopathy grade); sample
// submissions are not. Images anywhere below the folder, found by name, with or without ending. Where there are several
// tables, their names say the part: "test" or "solution" test, "val" val, any other train. Rows without a grade
// (ungradable photographs) or without an image are left out, and counted in Dataset::notes.
// Grades 0 to 4, ordinal. Column patient: the number before "_left" or "_right", so that the eyes of a patient stay
// together; unknown elsewhere. Keys, beside those of data/formats/image_table.h (color unless channels=1):
//   fundus=keep|crop|graham   data/images/fundus.h
//   images=FOLDER             where to look for images, below FOLDER of the data
Dataset open_retinopathy(const DatasetSpec& spec);

}  // namespace preceptor
