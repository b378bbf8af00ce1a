"""The paper's method, one file a step: sharp -> align -> enhance -> consistency."""
