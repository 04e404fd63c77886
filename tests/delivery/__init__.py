"""Do offsets, groups and order hold on real servers?"""
